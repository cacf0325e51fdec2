"""The end of a step that an owner had begun before it lost the partition."""

from datetime import timedelta
from typing import Any

import pytest

from hitl_events.domain.commands import Origin, StepReported
from hitl_events.domain.events import About, Event, GateClosed, RunCompleted, StepCompleted
from hitl_events.domain.process import process
from hitl_events.domain.reconcile import RECONCILE_KIND
from hitl_events.domain.state import RunState, status
from tests.unit.domain.histories import (
    NOW,
    RUN,
    SECOND,
    apply,
    cancelled,
    outside,
    paused,
    received,
    repeat,
    run_of,
    step_done,
    step_failed,
    step_started,
)

QUESTION = paused("reconcile:s", pause_kind=RECONCILE_KIND, about=About(step="s", occurrence=1))


def reported(**given: Any) -> StepReported:
    """Attempt 1 of step `s` gave an output."""
    fields: dict[str, Any] = {
        "run_id": RUN,
        "kind": "step",
        "step": "s",
        "occurrence": 1,
        "attempt": 1,
        "args_digest": bytes(8),
        "duration_us": 5,
        "output": b'"out"',
        "command_id": "c",
        "origin": Origin(channel="engine", arrived_at=NOW),
    }
    return StepReported(**(fields | given))


def accepted(run: RunState, command: StepReported) -> tuple[Event, ...]:
    """The events of a report that counts."""
    ruling = process(run, command)
    assert isinstance(ruling, tuple), ruling
    return ruling


def test_the_attempt_that_is_under_way_is_ended_by_it() -> None:
    """What the step gave is recorded as if this owner had begun it."""
    assert accepted(run_of(step_started()), reported()) == (step_done(),)


def test_a_step_without_an_intent_is_taken_where_the_recipe_waits_for_it() -> None:
    """No event says that it began; only who has the code can know that it was to."""
    assert accepted(run_of(), reported(asked=True)) == (step_done(),)
    repeat(run_of(), reported())
    repeat(run_of(), reported(asked=True, attempt=2))


def test_the_attempt_after_a_failure_is_the_next() -> None:
    """A step that waits for its second try takes the end of the second, not of the first."""
    run = run_of(step_failed(retry_at=NOW))

    assert accepted(run, reported(attempt=2)) == (step_done(attempt=2),)
    repeat(run, reported(attempt=1))


def test_a_failure_is_tried_again_from_its_arrival_on() -> None:
    """The pause counts from the time of the record, or of the run's last event if that is later."""
    failed = reported(output=None, error="E", message="m", retry_in=timedelta(seconds=9))

    (event,) = accepted(run_of(step_started()), failed)

    assert event == step_failed(error="E", message="m", retry_at=NOW + 2 * SECOND + 9 * SECOND)


def test_a_question_about_it_is_answered_by_it() -> None:
    """The reconcile gate closes without a decision, and the step has its end."""
    run = run_of(step_started(), QUESTION)

    events = accepted(run, reported())

    closed = GateClosed(gate="reconcile:s", occurrence=1, reason="superseded")
    assert events == (closed, step_done())
    run = apply(run, *events)
    assert (run.pending, status(run)) == ({}, "running")


@pytest.mark.parametrize(
    "events",
    [
        [step_started(), step_done(output="first")],
        [step_started(), step_failed()],
        [step_started(), QUESTION, received("did_not_happen", gate="reconcile:s")],
        [
            step_started(),
            QUESTION,
            received("did_not_happen", gate="reconcile:s"),
            step_started(attempt=2),
        ],
        [step_started(), cancelled()],
        [step_started(), RunCompleted(result=b"null")],
    ],
    ids=["completed", "failed", "denied by a human", "begun again", "cancelled", "ended"],
)
def test_what_is_known_stays(events: list[Event]) -> None:
    """An end that comes twice or too late is answered as a repeat, without an event."""
    assert repeat(run_of(*events), reported(asked=True)).seq == 1 + len(events)


def test_of_an_unknown_run_nothing_is_recorded() -> None:
    """A broker lost the run's events: a dead letter tells of it."""
    assert outside(None, reported()).reason == "unknown_run"


def test_an_undo_of_a_cancelled_run_is_taken() -> None:
    """It is what the run does then."""
    run = run_of(cancelled(), step_failed(kind="undo", retry_at=NOW))

    (event,) = accepted(run, reported(kind="undo", attempt=2))

    assert isinstance(event, StepCompleted)
    assert event.kind == "undo"
