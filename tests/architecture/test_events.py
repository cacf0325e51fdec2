"""Whoever adds an event type is told all the places that it needs."""

import ast
import inspect
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hitl_events.domain.events import EVENT_TYPES
from hitl_events.domain.evolve import evolve
from hitl_events.domain.trace import _entries

ROOT = Path(__file__).parents[2]
HISTORIES = ROOT / "tests" / "golden" / "histories"

by_name = pytest.mark.parametrize("name", [event_type.__name__ for event_type in EVENT_TYPES])


def _matched(function: Callable[..., Any]) -> set[str]:
    """The classes for which the function's `match` has a case."""
    patterns = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(function)))
        if type(node) is ast.MatchClass
    ]
    return {ast.unparse(pattern.cls) for pattern in patterns}


@cache
def _in_histories() -> frozenset[str]:
    lines = [line for path in HISTORIES.glob("*.jsonl") for line in path.read_bytes().splitlines()]
    return frozenset(json.loads(line)["type"] for line in lines)


@by_name
def test_every_event_has_a_schema_of_its_fields(name: str) -> None:
    """An event is written by the schema of its name, field by field in that order."""
    (event_type,) = (each for each in EVENT_TYPES if each.__name__ == name)
    schema = json.loads((ROOT / "schemas" / f"{name}.avsc").read_bytes())

    assert schema["namespace"] == "hitl.v1"
    assert [field["name"] for field in schema["fields"]] == list(event_type.__dataclass_fields__)


@by_name
def test_every_event_changes_the_state_by_a_branch_of_its_own(name: str) -> None:
    """No event is applied by accident: `evolve` names it."""
    assert name in _matched(evolve)


@by_name
def test_every_event_stands_in_the_trace(name: str) -> None:
    """Nothing happens that the account of a run does not tell."""
    assert name in _matched(_entries)


@by_name
def test_every_event_has_a_golden_history(name: str) -> None:
    """An event that was ever released is read from its recorded bytes by every later release."""
    assert name in _in_histories()
