import asyncio
from contextlib import suppress
from typing import Any

import pytest

from hitl_events import CancelRun, Recipe, Retry, Run, StepError, current_step, hitl, recipe
from hitl_events.recipes.recipe import Recipe as Handle, UndoOn
from tests.unit.world import RUN, World

DONE: list[tuple[str, Any]] = []


def charge(amount: Any = 1) -> Any:
    return {"charged": amount}


def refund(charged: Any) -> str:
    DONE.append(("refund", charged))
    return "back"


def book(seat: Any = 1) -> Any:
    return {"seat": seat}


def free(seat: Any) -> None:
    DONE.append(("free", seat))


def stubborn(seat: Any) -> None:
    DONE.append(("stubborn", current_step().attempt))
    raise OSError("still there")


def broken(value: Any = None) -> None:
    raise ValueError("no")


@pytest.fixture(autouse=True)
def fresh() -> None:
    DONE.clear()


async def trip(run: Run, input: Any) -> Any:
    await run.step(charge, 5, undo=refund)
    await run.step(book, undo=free)
    made = await run.gate("g")
    if made.verdict == "deny":
        return "denied"
    return await run.step(broken)


def made(*undo_on: UndoOn) -> Handle:
    return recipe("r", version="1")(trip).configure(undo_on=undo_on)


UNDONE = [("free", {"seat": 1}), ("refund", {"charged": 5})]
UNDO_EVENTS = ["StepCompleted undo book", "StepCompleted undo charge"]


@pytest.mark.parametrize("undo_on", [(), ("denied", "failed"), ("cancelled",)])
def test_a_cancelled_run_is_undone_where_it_says_so(undo_on: tuple[UndoOn, ...]) -> None:
    """After CancelRequested the undo steps run, last first, then RunCancelled comes."""
    world = World(made(*undo_on))
    world.start("r")
    world.cancel()

    undone = "cancelled" in undo_on
    assert UNDONE * undone == DONE
    assert world.story()[4:] == ["CancelRequested", *UNDO_EVENTS * undone, "RunCancelled"]
    world.replayed()


@pytest.mark.parametrize("undo_on", [(), ("cancelled", "denied"), ("failed",)])
def test_a_failed_run_is_undone_where_it_says_so(undo_on: tuple[UndoOn, ...]) -> None:
    """Before RunFailed what is done is taken back, each undo with the recorded output."""
    world = World(made(*undo_on))
    world.start("r")
    world.decide()

    undone = "failed" in undo_on
    assert UNDONE * undone == DONE
    assert world.story()[5:] == [
        "StepFailed broken",
        *UNDO_EVENTS * undone,
        "RunFailed step.failed",
    ]
    world.replayed()


@pytest.mark.parametrize("undo_on", [(), ("cancelled", "failed"), ("denied",)])
def test_a_denied_run_is_undone_where_it_says_so(undo_on: tuple[UndoOn, ...]) -> None:
    """A run whose last decision was deny is taken back before it ends ok."""
    world = World(made(*undo_on))
    world.start("r")
    outcome = world.decide("deny")

    undone = "denied" in undo_on
    assert UNDONE * undone == DONE
    assert (outcome.status, outcome.artefact["result"]) == ("ok", "denied")
    world.replayed()


@pytest.mark.parametrize("undo_on", [("failed",), ("denied",), ("cancelled",)])
def test_a_denial_that_the_recipe_raises_on_is_undone_as_either(
    undo_on: tuple[UndoOn, ...],
) -> None:
    """A run that ends with an error after its denial has failed and was denied, both."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(charge, undo=refund)
        if (await run.gate("g")).verdict == "deny":
            raise ValueError("denied")

    world = World(body.configure(undo_on=undo_on))
    world.start("r")
    outcome = world.decide("deny")

    assert [name for name, _ in DONE] == ([] if undo_on == ("cancelled",) else ["refund"])
    assert outcome.diagnostics[0].code == "recipe.failed"
    world.replayed()


def test_undo_by_hand() -> None:
    """`await run.undo()` takes back what is done so far, once."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(charge, undo=refund)
        await run.undo()
        await run.undo()
        await run.step(book, undo=free)
        await run.undo()
        return "fine"

    world = World(body)

    assert world.start("r").artefact["result"] == "fine"
    assert [name for name, _ in DONE] == ["refund", "free"]
    world.replayed()


def test_steps_without_undo_and_failed_steps_are_left() -> None:
    """Only what completed and has an undo is taken back."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(charge)
        with suppress(StepError):
            await run.step(broken, undo=refund)
        await run.step(book, undo=free)
        await run.undo()

    World(body).start("r")

    assert [name for name, _ in DONE] == ["free"]


def test_each_use_of_a_step_is_undone() -> None:
    """Occurrences are steps of their own: the last use is taken back first."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        for amount in (1, 2, 3):
            await run.step(charge, amount, undo=refund)
        await run.undo()

    world = World(body)
    world.start("r")

    assert [done["charged"] for _, done in DONE] == [3, 2, 1]
    assert world.story()[4:7] == [
        "StepCompleted undo charge 3",
        "StepCompleted undo charge 2",
        "StepCompleted undo charge",
    ]


def test_what_ran_side_by_side_is_undone_in_the_order_of_the_log() -> None:
    """The step that completed last in the log is taken back first."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.all(run.step(charge, undo=refund), run.step(book, undo=free))
        await run.undo()

    world = World(body)
    world.ask(world.starting("r"))
    world.finish("book", "charge")
    world.settle()

    assert [name for name, _ in DONE] == ["refund", "free"]
    world.replayed()


def test_a_failed_undo_does_not_keep_the_others_from_it() -> None:
    """All undo steps are tried; `run.undo()` raises the first error after them."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(charge, undo=refund)
        await run.step(book, undo=stubborn)
        try:
            await run.undo()
        except StepError as error:
            return [error.step, error.message]

    outcome = World(body).start("r")

    assert outcome.artefact["result"] == ["book", "still there"]
    assert [name for name, _ in DONE] == ["stubborn", "refund"]


def test_a_failed_undo_leaves_the_end_as_it_was() -> None:
    """A run whose undo fails ends as it would have; the failure is in the trace."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(book, undo=stubborn)
        await run.step(broken)

    world = World(body.configure(undo_on=("failed",)))
    (said,) = world.start("r").diagnostics

    assert said.data["step"] == "broken"
    assert "StepFailed undo book" in world.story()


def test_an_undo_has_the_retry_of_its_step() -> None:
    """It is tried as often as the step may be, also while the run is being cancelled."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(book, undo=stubborn, retry=Retry(attempts=2, initial_s=5))
        await run.gate("g")

    world = World(body.configure(undo_on=("cancelled",)))
    world.start("r")
    world.cancel()
    assert world.outcome().status == "running"
    world.wait(5)
    world.settle()

    assert DONE == [("stubborn", 1), ("stubborn", 2)]
    assert world.story()[-2:] == ["StepFailed undo book", "RunCancelled"]


def test_an_undo_that_breaks_its_own_type_has_failed() -> None:
    """Like a step: an output that could not be read back is a failure, not a blocked run."""

    def undo(seat: Any) -> int:
        return "no number"  # type: ignore[return-value]  # on purpose: a defect of the user's

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(book, undo=undo)
        await run.step(broken)

    world = World(body.configure(undo_on=("failed",)))
    world.start("r")

    assert world.story()[-2:] == ["StepFailed undo book", "RunFailed step.failed"]


def test_a_cancellation_waits_for_what_runs() -> None:
    """A step under way when the run is cancelled comes in first, and is taken back too."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(charge, undo=refund)
        await run.step(book)

    world = World(body.configure(undo_on=("cancelled",)))
    world.ask(world.starting("r"))
    started = list(world.held)
    world.held = []
    world.cancel()
    assert world.story()[-1] == "CancelRequested"
    world.held = started
    world.settle()

    assert DONE == [("refund", {"charged": 1})]
    assert "StepCompleted book" not in world.story()
    assert world.story()[-1] == "RunCancelled"
    world.replayed()


def test_a_step_that_was_cut_is_not_begun_again_in_a_cancelled_run() -> None:
    """After a crash a run that is being cancelled takes back what is done and begins nothing."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(charge, undo=refund)
        await run.step(book)

    world = World(body.configure(undo_on=("cancelled",)))
    world.ask(world.starting("r"))
    world.finish("charge")
    world.ask(CancelRun(run_id=RUN, reason="", command_id="x", origin=world.origin()))
    assert world.story()[-1] == "CancelRequested"
    world.restart()

    assert [start.request.key[:2] for start in world.held] == [("undo", "charge")]
    world.settle()
    assert world.story()[-2:] == ["StepCompleted undo charge", "RunCancelled"]


def test_a_cancelled_run_does_not_wait_for_the_uncertain() -> None:
    """A once step that runs out of time while its run is cancelled asks nothing; the run ends."""

    async def slow() -> None:
        await asyncio.Event().wait()

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(slow, once=True, timeout_s=0.01)

    world = World(body)
    world.ask(world.starting("r"))
    world.ask(CancelRun(run_id=RUN, reason="", command_id="x", origin=world.origin()))
    world.settle()

    assert world.story()[1:] == ["StepStarted slow", "CancelRequested", "RunCancelled"]


def test_a_crash_while_it_is_undone_changes_nothing() -> None:
    """Cut after any event, an undo goes on where it was and no recorded undo runs again."""
    world = World(made("cancelled"))
    world.start("r")
    world.cancel()
    whole = world.story()
    for end in range(5, len(whole)):
        other = World(made("cancelled"))
        other.start("r")
        other.cancel()
        DONE.clear()
        other.cut(end)
        other.settle()
        assert other.story() == whole
        assert UNDONE[end - 5 :] == DONE


def test_a_graph_is_undone_like_a_function() -> None:
    """The steps of a builder may have undos; a denied gate takes them back."""
    graph = (
        Recipe("r", version="1")
        .configure(undo_on=("denied",))
        .step("charge", charge, undo=refund)
        .use(hitl("g"), after="charge")
        .step("send", book, after="g")
    )
    world = World(graph)
    world.start("r")
    outcome = world.decide("deny")

    assert outcome.artefact["result"] == {"gate": "g", "status": "denied"}
    assert [name for name, _ in DONE] == ["refund"]
    assert [node.undo for node in graph.plan().nodes] == [True, False, False]
