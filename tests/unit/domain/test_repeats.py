from dataclasses import replace
from typing import Any

import pytest

from hitl_events.domain.events import DecisionReceived, RunCompleted
from hitl_events.domain.mark import mark_of, state_of, winners_only
from hitl_events.domain.process import process
from hitl_events.domain.refusals import Rejection, Repeat
from hitl_events.domain.state import end_mark
from tests.unit.domain.histories import (
    apply,
    cancel,
    claim,
    decide,
    outside,
    paused,
    refusal,
    repeat,
    ruled,
    run_of,
    start,
)


def test_the_same_decision_again_is_a_repeat() -> None:
    """The same id with the same content is answered like the first, without an event."""
    run = run_of(paused())
    apply(run, *ruled(run, decide()))

    assert repeat(run, decide()) == Repeat(seq=3)


def test_the_same_refused_decision_again_is_a_repeat() -> None:
    """A repeat of a refused decision is refused again as the first was, and recorded once."""
    run = run_of(paused())
    apply(run, refusal(run, decide("perhaps")))

    again = repeat(run, decide("perhaps"))

    assert again.seq == 3
    assert again.rejection is not None
    assert (again.rejection.reason, again.rejection.recorded) == ("unknown_verdict", True)


def test_a_repeat_of_a_late_decision_names_the_winner_again() -> None:
    """The repeat of a token_used carries the winner with verdict, name and time."""
    run = run_of(paused())
    apply(run, *ruled(run, decide(decision_id="first", decided_by="ann")))
    apply(run, refusal(run, decide("deny")))

    rejection = repeat(run, decide("deny")).rejection

    assert rejection is not None
    assert rejection.winner is not None
    winner = rejection.winner
    assert (winner.decision_id, winner.verdict, winner.decided_by) == ("first", "approve", "ann")
    assert winner.decided_at == run.decisions["first"].recorded_at


def test_the_first_record_binds_the_id_also_when_refused() -> None:
    """A refused decision's id can not be used again for another content, not even a good one."""
    run = run_of(paused())
    apply(run, refusal(run, decide("perhaps")))

    assert refusal(run, decide("approve")).reason == "conflict"


def test_a_conflict_does_not_bind_anew() -> None:
    """After a conflict the first content is still the repeat, and the other still a conflict."""
    run = run_of(paused())
    apply(run, *ruled(run, decide()))
    apply(run, refusal(run, decide("deny")))

    assert repeat(run, decide()) == Repeat(seq=3)
    assert refusal(run, decide("withdraw")).reason == "conflict"


def test_the_same_conflict_again_is_a_repeat() -> None:
    """A redelivered record that was refused as `conflict` is answered like then, without event."""
    run = run_of(paused())
    apply(run, *ruled(run, decide()))
    apply(run, refusal(run, decide("deny")), refusal(run, decide("withdraw")))

    for said, seq in ((decide("deny"), 4), (decide("withdraw"), 5)):
        again = repeat(run, said)
        assert again.seq == seq
        assert again.rejection is not None
        assert (again.rejection.reason, again.rejection.recorded) == ("conflict", True)
    assert run.rejected == 2


def test_a_conflict_with_a_refused_decision_is_a_repeat_too() -> None:
    """Where a refusal bound the id, what came after it is answered as it was the first time."""
    run = run_of(paused())
    apply(run, refusal(run, decide("perhaps")))
    apply(run, refusal(run, decide("approve")))

    assert repeat(run, decide("perhaps")).seq == 3
    assert repeat(run, decide("approve")).seq == 4


@pytest.mark.parametrize(
    "other",
    [
        {"verdict": "deny"},
        {"notes": "n"},
        {"data": b"{}"},
        {"decided_by": "bob"},
        {"draft_digest": bytes(32)},
        {"token": "hitl_y"},
    ],
)
def test_each_part_of_the_content_counts(other: dict[str, Any]) -> None:
    """Token, verdict, notes, data, decided_by and draft_digest are the content of a decision."""
    run = run_of(paused())
    apply(run, *ruled(run, decide()))

    assert refusal(run, decide(**other)).reason == "conflict"


def test_an_id_is_bound_within_its_run() -> None:
    """Two gates of one run share their ids: what was said at one can not be said at the other."""
    run = run_of(paused(), paused("h"))
    apply(run, *ruled(run, decide()))

    other = refusal(run, decide(token="hitl_h", claim=claim(3)))

    assert (other.reason, other.gate) == ("conflict", "h")


def test_an_ended_run_still_knows_its_decisions() -> None:
    """The end mark answers repeats, conflicts and late decisions as the whole state does."""
    run = run_of(paused())
    apply(run, *ruled(run, decide(decision_id="first")), RunCompleted(result=b"null"))
    conflict = decide("deny", decision_id="first")
    apply(run, refusal(run, conflict))
    mark = end_mark(run)

    assert repeat(mark, conflict).seq == 5
    for said in (decide(), decide(decision_id="first"), conflict, replace(conflict, notes="n")):
        assert process(mark, said) == process(run, said)
    assert refusal(mark, decide()).winner_decision_id == "first"


def test_the_kept_mark_of_a_run_knows_its_conflicts() -> None:
    """What a log keeps of an ended run answers a redelivered conflict as the first time."""
    run = run_of(paused())
    apply(run, *ruled(run, decide(decision_id="first")), RunCompleted(result=b"null"))
    conflict = decide("deny", decision_id="first")
    apply(run, refusal(run, conflict))
    mark = mark_of(run, bytes(32))

    kept = state_of(mark)

    assert repeat(kept, conflict) == repeat(run, conflict)
    assert repeat(kept, decide(decision_id="first")).seq == 3
    assert refusal(kept, replace(conflict, notes="n", content_digest=b"n")).reason == "conflict"
    assert mark_of(kept, bytes(32)) == mark
    assert winners_only(mark).decisions == mark.decisions[:1]


def test_a_start_again_is_the_same_run() -> None:
    """The same id with the same recipe and input is a repeat; with another it is run_exists."""
    run = run_of()

    assert repeat(run, start(seed=b"another seed ...", version="2")) == Repeat(seq=1)
    for other in (start(recipe="q"), start(input=b"1")):
        assert outside(run, other).reason == "run_exists"


def test_an_ended_run_is_still_the_same_run() -> None:
    """The end mark has no input any more and yet tells the same start from another."""
    mark = end_mark(apply(run_of(), RunCompleted(result=b"null")))

    assert mark.started.input == b""
    assert isinstance(process(mark, start()), Repeat)
    assert isinstance(process(mark, start(input=b"1")), Rejection)


def test_a_second_cancellation_is_a_repeat() -> None:
    """Who cancels a run that is being cancelled hears that it is."""
    run = run_of(paused())
    ruling = process(run, cancel())
    assert isinstance(ruling, tuple)
    apply(run, *ruling)

    assert repeat(run, cancel()).rejection is None


def test_where_a_record_came_from_is_no_content() -> None:
    """The same decision through another channel is a repeat."""
    run = run_of(paused())
    said = decide()
    (event,) = ruled(run, said)
    apply(run, event)

    elsewhere = replace(said, origin=replace(said.origin, channel="topic", traceparent="00-1"))

    assert isinstance(event, DecisionReceived)
    assert repeat(run, elsewhere) == Repeat(seq=3)
