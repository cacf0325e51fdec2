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


@dataclass(frozen=True)
class Seller:
    """A step that is an object, of a class with annotated fields."""

    margin: int
    item: int = 0

    def __call__(self, item: Order) -> Offer:
        """Its own annotations count, not those of the fields."""
        return Offer(item=f"{item.item} + {self.margin}")


@recipe("object", version="1")
async def asks_an_object(run: Run, order: Order) -> str:
    """Its step is no function."""
    offer: Offer = await run.step(Seller(margin=5), order, name="offer")
    return offer.item


def test_a_step_that_is_an_object_is_annotated_at_its_call() -> None:
    """Fields of its class, annotated as well, are no parameters; a partial of it is no other."""
    assert World(asks_an_object).start("object", {"item": "tea"}).artefact["result"] == "tea + 5"
