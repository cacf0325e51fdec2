from typing import Any

import pytest
from hypothesis import given, strategies as st

from hitl_events.audit.diff import Change, difference, unified
from hitl_events.domain.outcome import Outcome
from tests.golden.make_histories import reviewed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [Change(kind="changed", path="$.a", before=1, after=2)]),
        ({"a": None}, {}, [Change(kind="removed", path="$.a", before=None)]),
        ({}, {"a": None}, [Change(kind="added", path="$.a", after=None)]),
        ([1], [1, 2], [Change(kind="added", path="$[1]", after=2)]),
        ({"a": [1]}, {"a": {}}, [Change(kind="changed", path="$.a", before=[1], after={})]),
        (1, True, [Change(kind="changed", path="$", before=1, after=True)]),
    ],
)
def test_the_innermost_places_that_differ_are_named(
    before: Any, after: Any, changes: list[Change]
) -> None:
    """A difference is put where it is, not at the whole around it."""
    assert difference(before, after) == changes


@given(JSON)
def test_a_value_does_not_differ_from_itself(held: Any) -> None:
    """Equal values have no differences."""
    assert difference(held, held) == []


@given(JSON, JSON)
def test_values_differ_both_ways(one: Any, other: Any) -> None:
    """What is added one way is removed the other."""
    there, back = difference(one, other), difference(other, one)

    turned = {"added": "removed", "removed": "added", "changed": "changed"}
    assert sorted((turned[each.kind], each.path) for each in there) == sorted(
        (each.kind, each.path) for each in back
    )


def test_the_outcome_at_two_events_shows_what_happened_between() -> None:
    """What `show --diff A B` prints: the gate that closed and the trace that grew."""
    events = reviewed().events
    before, after = (Outcome(events[:count]).to_json() for count in (7, 8))

    found = {each.path: each.to_json() for each in difference(before, after)}

    assert found["$.artefact.gates.legal-review.status"] == {
        "kind": "changed",
        "path": "$.artefact.gates.legal-review.status",
        "before": "pending",
        "after": "approved",
    }
    assert found["$.pause_kind"]["kind"] == "removed"
    assert found["$.trace[9]"]["after"]["kind"] == "run.resumed"


def test_texts_are_compared_line_by_line() -> None:
    """A long text is shown as its lines that changed, also where its last line has no end."""
    assert unified("a\nb\nc", "a\nB\nc") == (
        "--- before\n+++ after\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
    )
    assert unified("a", "a") == ""
