from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from hitl_events.domain.events import (
    EVENT_TYPES,
    About,
    Event,
    GateClosed,
    RunBlocked,
    RunCompleted,
    RunUnblocked,
    StepStarted,
)
from hitl_events.domain.evolve import evolve, fold
from hitl_events.domain.state import RunState, status
from hitl_events.errors import ImpossibleHistory
from tests.unit.domain.every_event import histories
from tests.unit.domain.histories import (
    NOW,
    SECOND,
    apply,
    cancelled,
    paused,
    received,
    recorded,
    rejected,
    run_of,
    started,
    step_done,
    step_failed,
)

ONCE = StepStarted(step="s", occurrence=1, kind="step", attempt=1, args_digest=bytes(8))


def test_the_sample_has_every_event() -> None:
    """The histories that the other tests fold leave no type of event out."""
    found = {type(event) for history in histories() for event in history}

    assert found == set(EVENT_TYPES)


def test_the_state_is_a_fold() -> None:
    """Folding a history in one go, or event by event with copies between, gives the same state."""
    for history in histories():
        run: RunState | None = None
        for event in history:
            run = evolve(deepcopy(run), deepcopy(event))
        assert run == fold(history)


def test_every_event_moves_the_head() -> None:
    """The state's seq and recorded_at are those of the last event."""
    for history in histories():
        run: RunState | None = None
        for event in history:
            run = evolve(run, event)
            assert (run.seq, run.recorded_at) == (event.seq, event.recorded_at)


def test_an_empty_stream_is_no_run() -> None:
    """Nothing folds to nothing."""
    assert fold(()) is None


@pytest.mark.parametrize(
    "events",
    [
        [step_done()],
        [replace(started(), seq=2)],
        [*recorded(started()), started()],
        [*recorded(started()), replace(started(), seq=2)],
        [*recorded(started()), replace(step_done(), seq=3)],
        [*recorded(started()), replace(step_done(), seq=1)],
        recorded(started(), received()),
        recorded(started(), paused(), received(), received(decision_id="again")),
        recorded(started(), GateClosed(gate="g", occurrence=1, reason="expired")),
        recorded(started(), paused(), cancelled(), received()),
    ],
)
def test_an_impossible_history_is_refused(events: list[Event]) -> None:
    """No state comes of a stream that no engine can have written; the error names the event."""
    with pytest.raises(ImpossibleHistory) as caught:
        fold(events)

    assert caught.value.seq == events[-1].seq


@pytest.mark.parametrize(
    ("events", "word"),
    [
        ([], "running"),
        ([paused()], "paused"),
        ([paused(), received()], "running"),
        ([step_failed(retry_at=NOW)], "running"),
        ([paused(), step_failed(retry_at=NOW)], "running"),
        ([paused(), step_failed()], "paused"),
        ([ONCE], "running"),
        ([ONCE, paused()], "running"),
        ([paused(), rejected()], "paused"),
        ([paused(), cancelled()], "running"),
        ([RunCompleted(result=b"1")], "completed"),
        ([RunBlocked(code="c", message="m", code_fingerprint="f")], "blocked"),
    ],
)
def test_a_run_has_one_word(events: list[Any], word: str) -> None:
    """`paused` is said only where a gate is open and nothing runs or is to be tried again."""
    assert status(run_of(*events)) == word


def test_a_reconcile_gate_pauses_its_own_step() -> None:
    """A once step whose end is asked for counts as waiting, not as running."""
    about = About(step="once", occurrence=1)
    asked = paused("reconcile:once", about=about)
    begun = replace(ONCE, step="once")

    assert status(run_of(begun, asked)) == "paused"
    assert status(run_of(begun, ONCE, asked)) == "running"
    no = received("did_not_happen", gate="reconcile:once")
    run = run_of(begun, asked, no)
    assert run.steps["step", "once", 1].status == "retrying"
    assert run.steps["step", "once", 1].retry_at == run.recorded_at


def test_blocking_comes_and_goes() -> None:
    """RunUnblocked takes the block away and leaves all else as it was."""
    run = run_of(paused(), RunBlocked(code="c", message="m", code_fingerprint="f"))
    apply(run, RunUnblocked(channel="cli", code_fingerprint="g"))

    assert (status(run), run.blocked, len(run.pending)) == ("paused", None, 1)


def test_a_decision_without_resolution_leaves_the_gate_open() -> None:
    """While more decisions are needed the gate stays pending, and the id is bound."""
    run = run_of(paused(), received(resolution=None))

    assert status(run) == "paused"
    assert "first" in run.decisions
    assert run.gates["g", 1].decision is None


@pytest.mark.parametrize(
    ("verdict", "word"),
    [("approve", "approved"), ("deny", "denied"), ("request_changes", "decided")],
)
def test_a_gate_says_how_it_closed(verdict: str, word: str) -> None:
    """Two verdicts have a status of their own, all others are `decided`."""
    run = run_of(paused(verdicts=(verdict,)), received(verdict))

    assert run.gates["g", 1].status == word


@pytest.mark.parametrize("reason", ["expired", "superseded", "withdrawn"])
def test_a_gate_closed_without_decision_says_why(reason: str) -> None:
    """The reason of a GateClosed is the gate's status."""
    run = run_of(paused(), GateClosed(gate="g", occurrence=1, reason=reason))

    assert run.gates["g", 1].status == reason
    assert run.pending == {}


def test_steps_keep_their_latest() -> None:
    """A failure that is followed by a success leaves the success."""
    run = run_of(step_failed(retry_at=NOW + SECOND), step_done(attempt=2))

    step = run.steps["step", "s", 1]
    assert (step.status, step.attempt, step.output) == ("completed", 2, b'"out"')
