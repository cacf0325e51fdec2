"""What worlds and laws have found, each as the shortest history that shows it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hitl_events import (
    CancelRequested,
    CancelRun,
    DecisionReceived,
    Recipe,
    Retry,
    Run,
    RunBlocked,
    RunCancelled,
    RunStarted,
    StepError,
    recipe,
)
from hitl_events.domain.commands import Origin
from hitl_events.domain.values import RunId
from hitl_events.engine.inputs import Submission
from hitl_events.recipes.book import Registered
from hitl_events.recipes.recipe import UndoOn
from hitl_events.runtime.arrivals import Arrivals
from hitl_events.testing import cancellation, given, step_completed
from hitl_events.testing.clock import NEW_YEAR
from hitl_events.testing.stage import StillWatch, call


async def fine(given: Any) -> Any:
    """Gives back what it gets."""
    return given


async def back(output: Any) -> None:
    """Takes it back."""


@recipe("good", version="1")
async def good(run: Run, request: Any) -> Any:
    """One gate."""
    decision = await run.gate("g", draft=request)
    return decision.verdict


def _undoing(*undo_on: UndoOn) -> Recipe:
    @recipe("undoing", version="1")
    async def body(run: Run, request: Any) -> Any:
        await run.step(fine, request, undo=back, retry=Retry(2, initial_s=30))
        try:
            await run.step(fine, request, name="second")
        except StepError:
            await run.undo()
        return "undone"

    return body.configure(undo_on=undo_on)


def test_a_large_float_goes_through_steps() -> None:
    """RFC 8785 writes 1e16 like an integer; read back it can be passed on."""

    @recipe("floats", version="1")
    async def floats(run: Run, request: Any) -> Any:
        first = await run.step(fine, request)
        return await run.step(fine, first)

    given(floats).started(1).completed("fine", 1e16).completed("fine", 1e16).then(completed=1e16)


def test_a_cancelled_run_ends_as_cancelled() -> None:
    """Also where the recipe came to its end in the same events, which were recorded undriven."""
    decided = given(good).started(1).decided("approve").events
    cancelled = CancelRequested(reason="no", identity="claimed", command_id="c", channel="cli")
    received = next(event for event in decided if isinstance(event, DecisionReceived))

    given(*decided[:2], replace(received, seq=0), cancelled, recipe=good).then(cancelled="no")


def test_a_blocked_run_that_was_given_up_can_be_replayed() -> None:
    """It ended although its code would have gone on: that is no divergence."""
    asked = given(_undoing()).started(1).completed("fine", 1).failed("second", OSError("no"))
    cancelled = CancelRequested(reason="no", identity="claimed", command_id="c", channel="cli")
    blocked = RunBlocked(code="recipe.diverged", message="", code_fingerprint="other")
    history = (*asked.events, blocked, cancelled, RunCancelled(reason="no"))
    recorded = given(*history, recipe=_undoing()).events
    started = recorded[0]
    assert isinstance(started, RunStarted)
    driver = Registered(_undoing()).driver(started, StillWatch())

    for event in recorded:
        driver.deliver(event)

    assert [type(event).__name__ for event in recorded][-1] == "RunCancelled"


def test_late_calls_do_not_pass_what_came_while_others_were_read() -> None:
    """An intake that was read to its end once may hold more by the time that is used up."""
    arrivals = Arrivals()
    arrivals.put([_arrived(1), _arrived(2)], read_to_end=True)
    arrivals.take(1)
    arrivals.own.append(_arrived(9))

    assert len(arrivals.take(9)) == 1
    assert not arrivals.empty
    arrivals.put([], read_to_end=True)
    assert len(arrivals.take(9)) == 1


def _arrived(after_s: int) -> Submission:
    origin = Origin(channel="topic", arrived_at=NEW_YEAR + timedelta(seconds=after_s))
    command = CancelRun(run_id=RunId("r"), reason="", command_id="c", origin=origin)
    return Submission(command=command, record=call)


def test_an_undo_that_waits_for_its_next_attempt_is_not_given_up() -> None:
    """A cancellation ends the run only when the undo that was under way has ended."""
    waiting = given(_undoing("cancelled")).started(1).completed("fine", 1)
    waiting.failed("second", OSError("no")).failed("fine", OSError("no"), undo=True)

    waiting.when(cancellation("enough"), timedelta(seconds=31)).then(asks_step="undo fine")
    waiting.when(step_completed("fine", undo=True)).then(cancelled="enough")
