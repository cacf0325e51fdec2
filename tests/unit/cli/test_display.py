"""Users' JSON as lines: bounded, harmless, and with the members that matter in sight."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies

from hitl_services.cli.display import in_a_line, summary
from hitl_services.cli.tables import columns, laid_out
from hitl_services.text import cells

JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.text(),
    lambda inner: strategies.lists(inner) | strategies.dictionaries(strategies.text(), inner),
    max_leaves=20,
)


@given(JSON, strategies.integers(1, 12))
def test_a_summary_keeps_to_its_lines_and_width(held: Any, lines_max: int) -> None:
    """Whatever the value, there is at least a line, and never more or wider than asked for."""
    lines = summary(held, width=30, lines_max=lines_max)

    assert 1 <= len(lines) <= lines_max
    assert all(cells(line) <= 30 for line in lines)
    assert all("\n" not in line for line in lines)


@pytest.mark.parametrize(
    ("held", "lines"),
    [
        (None, ["-"]),
        (True, ["true"]),
        (1, ["1"]),
        ("one\ntwo", ["one", "two"]),
        ({"a": 1, "b": "x"}, ["a: 1", "b: x"]),
        ({"a": {"b": [1, "x"]}}, ["a:", "  b:", "    - 1", "    - x"]),
        ([{"a": 1, "b": 2}], ["- a: 1", "  b: 2"]),
        ({}, ["(empty)"]),
        ({"a": [], "b": {}}, ["a: (empty)", "b: (empty)"]),
    ],
)
def test_values_read_like_a_list(held: Any, lines: list[str]) -> None:
    """Members as `name: value`, items as dashes, what is inside indented."""
    assert summary(held, width=80, lines_max=20) == lines


def test_a_long_text_does_not_hide_its_neighbours() -> None:
    """In few lines a text shows its beginning only, so that the other members are seen."""
    draft = {"text": "\n".join(f"line {number}" for number in range(50)), "title": "Leave"}

    assert summary(draft, width=60, lines_max=4) == ["text: line 0 … 49 more lines", "title: Leave"]


def test_a_value_fits_in_one_line() -> None:
    """All of it in one line, cut where there is a width."""
    assert in_a_line({"a": 1, "b": "x\ny"}, None) == "a: 1; b:; x; y"
    assert in_a_line("x" * 50, 10) == "xxxxxxxxx…"


def test_columns_give_way_until_the_row_fits() -> None:
    """The columns that may shrink do, the widest first; the others are never cut."""
    rows = [("a" * 40, "b" * 20, "c" * 36)]
    widths = columns(rows, 80, shrinking=(0, 1))

    assert widths == [20, 20, 36]
    assert len(laid_out(rows[0], widths)) == 80
