from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings

from hitl_events.domain.events import (
    DecisionReceived,
    DecisionRejected,
    Event,
    GatePaused,
    RunCompleted,
)
from hitl_events.domain.evolve import fold
from hitl_events.domain.token import PREFIX
from hitl_events.errors import ImpossibleHistory
from hitl_events.projections.attempts import AttemptRow
from hitl_events.projections.decisions import DecisionRow
from hitl_events.projections.ledger import Ledger, rows_of
from hitl_events.projections.pauses import PauseRow, closing_of
from hitl_events.testing.strategies import histories
from tests.golden import make_histories as plays
from tests.golden.play import Play
from tests.unit.domain.histories import paused, received, recorded, rejected, started


def _pauses(play: Play) -> list[PauseRow]:
    return [row for row in rows_of(play.events).values() if isinstance(row, PauseRow)]


def test_each_round_of_a_gate_is_a_pause_of_its_own() -> None:
    """What it showed, what it offered, when it opened and how it closed, each with its event."""
    first, second = _pauses(plays.reviewed())

    assert (first.gate_id, first.occurrence, second.occurrence) == ("golden-reviewed.3", 1, 2)
    assert (first.status, second.status) == ("decided", "approved")
    assert first.verdicts == ("approve", "deny", "request_changes")
    assert first.draft_digest != second.draft_digest
    assert second.closing is not None
    assert (second.closing.how, second.closing.seq, second.closing.decision_id) == (
        "decision",
        8,
        "d-3",
    )


@pytest.mark.parametrize(
    ("play", "closings"),
    [
        (plays.paused, [None]),
        (plays.expired, [("expired", 3), ("expired", 5)]),
        (plays.scheduled, [("schedule", 3)]),
        (plays.cancelled, [("cancelled", 5)]),
        (plays.withdrawn, [("withdrawn", 6)]),
        (plays.uncertain, [("decision", 4), ("decision", 7), ("decision", 10)]),
    ],
)
def test_every_end_of_a_pause_names_its_event(
    play: Callable[[], Play], closings: list[tuple[str, int] | None]
) -> None:
    """A decision, the clock, the recipe or the end of the run: by which event, never a guess."""
    rows = _pauses(play())

    assert [row.closing and (row.closing.how, row.closing.seq) for row in rows] == closings


def test_a_decision_has_who_when_what_and_how_long_it_took() -> None:
    """The row says all that the event does, and what it answered."""
    row = rows_of(plays.reviewed().events)[8]

    assert isinstance(row, DecisionRow)
    assert (row.decided_by, row.verdict, row.resolution) == ("Ada", "approve", "approve")
    assert (row.notes, row.channel, row.identity) == ("für alle", "topic", "claimed")
    assert (row.gate_id, row.waited) == ("golden-reviewed.7", timedelta(seconds=1))
    assert row.source is not None
    assert row.source.topic == "hitl.decisions"


def test_an_attempt_says_why_it_did_not_count_and_who_had_won() -> None:
    """A refused decision is a row of its own, also after the end of the run."""
    rows = rows_of(plays.reviewed().events)
    wrong, late = rows[4], rows[12]

    assert isinstance(wrong, AttemptRow)
    assert isinstance(late, AttemptRow)
    assert (wrong.reason, wrong.decided_by, wrong.gate_id) == (
        "unknown_verdict",
        "Bob",
        "golden-reviewed.3",
    )
    assert (late.reason, late.winner_decision_id, late.decided_by) == ("token_used", "d-3", "Eve")


def test_an_attempt_that_named_no_gate_has_none() -> None:
    """Its row stands by itself: no pause is guessed for it."""
    row = rows_of(recorded(started(), rejected(gate=None, occurrence=None)))[2]

    assert isinstance(row, AttemptRow)
    assert (row.gate, row.gate_id, row.waited, row.draft_digest) == (None, None, None, None)
    assert (row.to_json()["waited_s"], row.to_json()["gate_id"]) == (None, None)


def test_a_decision_that_closes_nothing_leaves_its_pause_open() -> None:
    """More decisions are needed: the row has no resolution, the pause no closing."""
    rows = rows_of(recorded(started(), paused(), received(resolution=None)))
    pause, decision = rows[2], rows[3]

    assert isinstance(pause, PauseRow)
    assert isinstance(decision, DecisionRow)
    assert (pause.closing, pause.status, decision.resolution) == (None, "pending", None)


def test_a_row_is_json_without_draft_or_token() -> None:
    """Digests in hex, times as in an outcome; what was shown stands in the event alone."""
    rows = rows_of(plays.reviewed().events)
    pause, decision = rows[7].to_json(), rows[8].to_json()

    assert (pause["status"], pause["closing"]["seq"]) == ("approved", 8)
    assert pause["draft_digest"] == decision["draft_digest"]
    assert len(pause["draft_digest"]) == 64
    assert (decision["type"], decision["at"], decision["waited_s"]) == (
        "decision",
        "2026-01-01T09:00:06.000000Z",
        1.0,
    )
    assert PREFIX not in str(rows)


def test_only_events_that_close_gates_have_a_closing() -> None:
    """An event that can not have closed one is an impossible history, never a made-up reason."""
    with pytest.raises(ImpossibleHistory, match="found RunCompleted"):
        closing_of(RunCompleted(result=b"null"))


def test_a_gap_in_the_events_is_refused() -> None:
    """Rows come from whole histories: what is missing is told, not skipped."""
    ledger = Ledger()
    ledger.add(plays.paused().events[0])

    with pytest.raises(ImpossibleHistory, match="expected event 2"):
        ledger.add(plays.paused().events[2])


@settings(deadline=None)
@given(history=histories())
def test_rows_tell_the_same_as_the_state_of_the_run(history: tuple[Event, ...]) -> None:
    """For every history: a pause has the status of its gate and names the decision that won it."""
    run = fold(history)
    assert run is not None
    rows = [row for row in rows_of(history).values() if isinstance(row, PauseRow)]

    assert [(row.gate, row.occurrence) for row in rows] == list(run.gates)
    for row in rows:
        gate = run.gates[row.gate, row.occurrence]
        winner = gate.decision and gate.decision.decision_id
        assert row.status == gate.status
        assert (row.closing and row.closing.decision_id) == winner
        assert (row.closing is None) == (row.seq in run.pending)


@settings(deadline=None)
@given(history=histories())
def test_every_event_about_a_gate_has_its_row(history: tuple[Event, ...]) -> None:
    """One row for each pause, decision and attempt, under its seq; none for anything else."""
    about = (GatePaused, DecisionReceived, DecisionRejected)

    assert sorted(rows_of(history)) == [each.seq for each in history if isinstance(each, about)]
