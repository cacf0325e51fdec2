from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings, strategies as st

from hitl_events.domain.events import DecisionReceived, DecisionRejected, Event, RunStarted
from hitl_events.projections.selection import Selection, selected
from hitl_events.testing.strategies import histories
from tests.golden import make_histories as plays
from tests.golden.play import START
from tests.unit.domain.histories import NOW, SECOND, recorded, rejected, started

Listed: TypeAlias = list[tuple[list[int], list[int]]]
"""For each round the events of its decisions and of its attempts."""

CASES: list[tuple[dict[str, Any], Listed]] = [
    ({}, [([5], [4]), ([8], [12])]),
    ({"recipe": "golden-review", "gate": "legal-review"}, [([5], [4]), ([8], [12])]),
    ({"recipe": "another"}, []),
    ({"gate": "another"}, []),
    ({"decider": "Ada"}, [([5], [4]), ([8], [12])]),
    ({"decider": "Eve"}, [([], [12])]),
    ({"verdict": "approve"}, [([8], [12])]),
    ({"verdict": "deny"}, [([], [12])]),
    ({"decider": "Ada", "verdict": "deny"}, []),
    ({"since": START + 5 * SECOND}, [([8], [12])]),
    ({"until": START + 4 * SECOND}, [([], [4])]),
]


def _seqs(**wanted: Any) -> Listed:
    """What is listed of the reviewed run."""
    found = selected(plays.reviewed().events, Selection(**wanted))
    return [
        ([row.seq for row in each.decisions], [row.seq for row in each.attempts]) for each in found
    ]


@pytest.mark.parametrize(("wanted", "found"), CASES)
def test_decisions_are_chosen_and_attempts_stand_beside_them(
    wanted: dict[str, Any], found: Listed
) -> None:
    """What was refused is listed with the decision of its round, or if it is wanted by itself."""
    assert _seqs(**wanted) == found


def test_an_attempt_outside_of_the_period_is_not_listed() -> None:
    """Each entry is in one period alone, so that reports of two months share no line."""
    late = plays.reviewed().events[-1].recorded_at

    assert _seqs(until=late) == [([5], [4]), ([8], [])]
    assert _seqs(since=late) == [([], [12])]


def test_attempts_without_a_gate_come_last() -> None:
    """They belong to no round: they are listed after all that do."""
    found = selected(
        recorded(started(), rejected(gate=None, occurrence=None)), Selection(decider=None)
    )

    assert [(each.opened_seq, len(each.attempts)) for each in found] == [(None, 1)]


def test_a_run_can_be_left_out_by_its_first_event() -> None:
    """One of another recipe, or begun after the period, need not be read."""
    first = recorded(started())[0]
    assert isinstance(first, RunStarted)

    assert Selection(recipe="r", until=NOW + 2 * SECOND).may_have(first)
    assert not Selection(recipe="x").may_have(first)
    assert not Selection(until=NOW + SECOND).may_have(first)


@settings(deadline=None)
@given(history=histories(), split=st.integers(0, 60))
def test_two_periods_have_together_what_one_has(history: tuple[Event, ...], split: int) -> None:
    """Every decision and attempt of a history is listed once, wherever the period is cut."""
    at = history[0].recorded_at + split * SECOND
    about = (DecisionReceived, DecisionRejected)
    parts = [
        *selected(history, Selection(until=at)),
        *selected(history, Selection(since=at)),
    ]

    listed = [row.seq for part in parts for row in (*part.decisions, *part.attempts)]

    assert sorted(listed) == [each.seq for each in history if isinstance(each, about)]
