"""What worlds and laws have found, each as the shortest history that shows it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hitl_events import (
    CancelRequested,
    DecisionReceived,
    Recipe,
    Retry,
    Run,
    StepError,
    recipe,
)
from hitl_events.testing import cancellation, given, step_completed


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


def _undoing(*undo_on: str) -> Recipe:
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


def test_an_undo_that_waits_for_its_next_attempt_is_not_given_up() -> None:
    """A cancellation ends the run only when the undo that was under way has ended."""
    waiting = given(_undoing("cancelled")).started(1).completed("fine", 1)
    waiting.failed("second", OSError("no")).failed("fine", OSError("no"), undo=True)

    waiting.when(cancellation("enough"), timedelta(seconds=31)).then(asks_step="undo fine")
    waiting.when(step_completed("fine", undo=True)).then(cancelled="enough")
