from hitl_events.domain.decide import expire
from hitl_events.domain.events import DecisionReceived, DecisionRejected, GateClosed
from hitl_events.domain.state import ARRIVALS_KNOWN_TO, next_due
from hitl_events.domain.values import MICROSECOND
from tests.unit.domain.histories import (
    NOW,
    SECOND,
    apply,
    decide,
    paused,
    refusal,
    ruled,
    run_of,
    step_failed,
)

EXPIRES = NOW + 10 * SECOND


def test_an_arrival_at_the_deadline_is_in_time() -> None:
    """A decision that arrived exactly at `expires_at` counts, however late it is processed."""
    run = run_of(paused(expires_at=EXPIRES))

    (event,) = ruled(run, decide(arrived_at=EXPIRES))

    assert isinstance(event, DecisionReceived)


def test_a_later_arrival_closes_the_gate_first() -> None:
    """A record that arrived after the deadline proves it: the gate expires, then it is refused."""
    run = run_of(paused(expires_at=EXPIRES))

    closed, refused = ruled(run, decide(arrived_at=EXPIRES + MICROSECOND))

    assert closed == GateClosed(gate="g", occurrence=1, reason="expired")
    assert isinstance(refused, DecisionRejected)
    assert (refused.reason, refused.winner_decision_id) == ("token_expired", None)


def test_a_later_arrival_finds_the_schedule_as_winner() -> None:
    """Where the gate names a verdict for its end, the system decides and is the winner."""
    run = run_of(paused(expires_at=EXPIRES, on_expiry="deny"))

    decided, refused = ruled(run, decide(arrived_at=EXPIRES + MICROSECOND))

    assert isinstance(decided, DecisionReceived)
    assert (decided.channel, decided.verdict, decided.resolution) == ("schedule", "deny", "deny")
    assert (decided.decision_id, decided.identity) == ("schedule:run.2", "authenticated")
    assert isinstance(refused, DecisionRejected)
    assert (refused.reason, refused.winner_decision_id) == ("token_used", "schedule:run.2")


def test_who_comes_after_the_schedule_is_told_so() -> None:
    """After an expiry with a verdict token_used names it; without one it is token_expired."""
    decided = run_of(paused(expires_at=EXPIRES, on_expiry="deny"))
    closed = run_of(paused(expires_at=EXPIRES))
    for run in (decided, closed):
        apply(run, expire(run.pending[2]))

    assert refusal(decided, decide()).winner_decision_id == "schedule:run.2"
    assert refusal(closed, decide()).reason == "token_expired"


def test_on_expiry_need_not_be_offered() -> None:
    """The schedule may close a gate with a verdict that people can not give."""
    run = run_of(paused(expires_at=EXPIRES, on_expiry="escalate"))

    assert refusal(run, decide("escalate")).reason == "unknown_verdict"
    apply(run, expire(run.pending[2]))
    assert run.gates["g", 1].status == "decided"


def test_the_timer_fires_just_after_the_deadline() -> None:
    """The earliest gate's end wakes the run as soon as any arrival would bear a later time."""
    run = run_of(
        paused(expires_at=EXPIRES),
        paused("h", expires_at=EXPIRES - SECOND),
        paused("never"),
    )

    assert next_due(run) == EXPIRES - SECOND + ARRIVALS_KNOWN_TO
    apply(run, GateClosed(gate="h", occurrence=1, reason="expired"))
    assert next_due(run) == EXPIRES + ARRIVALS_KNOWN_TO


def test_a_retry_wakes_the_run_too() -> None:
    """The next attempt of a failed step is a timer; a final failure is none."""
    run = run_of(step_failed(retry_at=EXPIRES))

    assert next_due(run) == EXPIRES
    apply(run, step_failed(attempt=2))
    assert next_due(run) is None
