import pytest

from hitl_events.domain.commands import Origin, UnblockRun
from hitl_events.domain.diagnostics import diagnostics_of
from hitl_events.domain.events import (
    CancelRequested,
    Event,
    GateClosed,
    RunBlocked,
    RunCancelled,
    RunCompleted,
    RunFailed,
)
from hitl_events.domain.process import process
from hitl_events.domain.refusals import Repeat
from hitl_events.domain.state import RunState, next_due, status
from tests.unit.domain.histories import (
    NOW,
    RUN,
    SECOND,
    apply,
    cancel,
    cancelled,
    decide,
    outside,
    paused,
    received,
    refusal,
    run_of,
    step_failed,
)

ENDS: list[Event] = [
    RunCompleted(result=b"null"),
    RunFailed(code="x", message=""),
    RunCancelled(reason=""),
]
BLOCKED = RunBlocked(code="recipe.diverged", message="m", code_fingerprint="f")


def _cancelling() -> RunState:
    return run_of(paused(), paused("h"), cancelled())


def test_cancelling_is_recorded_with_its_reason() -> None:
    """A cancellation of an active run is one event with what was said."""
    ruling = process(run_of(paused()), cancel())

    assert ruling == (
        CancelRequested(
            reason="no more", identity="claimed", command_id="x", channel="runtime", source=None
        ),
    )


def test_a_cancellation_kills_every_open_token() -> None:
    """From CancelRequested on no gate is open, and a decision is answered run_ended."""
    run = _cancelling()

    assert run.pending == {}
    assert {gate.status for gate in run.gates.values()} == {"cancelled"}
    assert refusal(run, decide()).reason == "run_ended"


def test_a_decision_before_the_cancellation_stays_the_winner() -> None:
    """token_used comes before run_ended: the gate was decided before the run was cancelled."""
    run = run_of(paused(), received(), cancelled(), RunCancelled(reason="no more"))

    assert refusal(run, decide()).reason == "token_used"
    assert run.gates["g", 1].status == "approved"


def test_the_cancelled_run_ends_with_run_cancelled() -> None:
    """Between CancelRequested and RunCancelled the run is running, its reason is kept."""
    run = _cancelling()

    assert (status(run), run.ended) == ("running", False)
    apply(run, RunCancelled(reason="no more"))
    assert (status(run), run.ended, run.reason) == ("cancelled", True, "no more")


def test_a_cancelled_run_has_no_timers_but_those_of_undo() -> None:
    """Gates are closed and retries of steps are over; an undo step is still tried again."""
    at = NOW + SECOND
    run = run_of(paused(expires_at=at), step_failed(retry_at=at), cancelled())

    assert next_due(run) is None
    apply(run, step_failed(kind="undo", retry_at=at))
    assert next_due(run) == at


@pytest.mark.parametrize(
    ("reason", "told"), [("why", "the run was cancelled: why"), ("", "the run was cancelled")]
)
def test_a_cancellation_without_a_reason_is_told_without_one(reason: str, told: str) -> None:
    """Nothing hangs behind a colon."""
    run = run_of(cancelled(reason), RunCancelled(reason=reason))

    assert [found.message for found in diagnostics_of(run)] == [told]


@pytest.mark.parametrize("end", ENDS)
def test_an_ended_run_is_not_cancelled(end: Event) -> None:
    """What is over can not be cancelled: run_ended, outside of the run."""
    assert outside(run_of(end), cancel()).reason == "run_ended"


def test_an_unknown_run_is_not_cancelled() -> None:
    """Cancelling needs a run."""
    assert outside(None, cancel("nobody")).reason == "unknown_run"


@pytest.mark.parametrize("end", ENDS)
def test_superseded_needs_a_closed_gate(end: Event) -> None:
    """A gate of an ended run answers run_ended, unless a GateClosed stands before the end."""
    closed = GateClosed(gate="g", occurrence=1, reason="withdrawn")

    before = run_of(paused(), closed, end)
    without = run_of(paused(), cancelled(), end)

    assert refusal(before, decide()).reason == "superseded"
    assert refusal(without, decide()).reason == "run_ended"


def test_a_blocked_run_still_takes_commands() -> None:
    """A blocked run takes decisions and cancellation, as both are only events."""
    run = run_of(paused(), BLOCKED)

    assert status(run) == "blocked"
    assert isinstance(process(run, decide()), tuple)
    assert isinstance(process(run, cancel()), tuple)


def test_only_a_blocked_run_is_unblocked() -> None:
    """Unblocking a run that goes on is a repeat, of an ended or unknown one a refusal."""
    command = UnblockRun(run_id=RUN, command_id="u", origin=Origin(channel="runtime"))

    assert process(run_of(BLOCKED), command) == ()
    assert isinstance(process(run_of(paused()), command), Repeat)
    assert outside(run_of(ENDS[0]), command).reason == "run_ended"
    assert outside(None, command).reason == "unknown_run"
