"""Annotations as text: names that are defined later, and names for type checkers alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from hitl_events import recipe
from hitl_events.testing import given
from tests.unit.world import World

if TYPE_CHECKING:
    from http.client import HTTPConnection

    from hitl_events import Run


@recipe("r", version="1")
async def body(run: Run, order: Order) -> str:
    """Its input is defined below, its `Run` nowhere."""
    offer: Offer = await run.step(offered, order, None)
    return offer.item


def offered(order: Order, connection: HTTPConnection | None) -> Offer:
    """One of its annotations can not be resolved."""
    assert connection is None
    return Offer(item=order.item.upper())


@dataclass
class Order:
    """What comes in."""

    item: str


@dataclass
class Offer:
    """What a step makes of it."""

    item: str


def test_types_that_can_be_found_hold_beside_one_that_can_not() -> None:
    """Input, argument and output are rebuilt, though `Run` is not there at run time."""
    assert World(body).start("r", {"item": "tea"}).artefact["result"] == "TEA"


def test_an_input_that_a_later_class_refuses_is_refused() -> None:
    """The class may be defined below the recipe: it is looked up when the recipe is used."""
    with pytest.raises(AssertionError, match="invalid_command: expected Order, found at item"):
        given(body).started({"itm": "tea"})
