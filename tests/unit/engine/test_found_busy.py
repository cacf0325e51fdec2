"""Runs that the log calls busy: where that is not true, the log is told."""

from typing import Any

from hitl_events import Run, recipe
from hitl_events.engine.inputs import Wake
from tests.unit.world import RUN, World


def step() -> str:
    return "out"


@recipe("paused", version="1")
async def paused(run: Run, input: Any) -> Any:
    return (await run.gate("g")).verdict


@recipe("beside", version="1")
async def beside(run: Run, input: Any) -> Any:
    return await run.all(run.gate("g"), run.step(step))


def test_a_run_that_was_taken_up_in_vain_is_not_found_again() -> None:
    """It only waits for a decision: its position says so from now on, without an event."""
    world = World(paused)
    world.start("paused")

    batch = world.put(Wake(run_id=RUN, found_busy=True)).batch

    assert batch.events == []
    assert [(each.run_id, each.busy) for each in batch.positions] == [(RUN, False)]


def test_a_run_with_work_stays_busy() -> None:
    """Its step is begun again, and found again should this process die too."""
    world = World(beside)
    world.ask(world.starting("beside"))
    world.held = []
    world.restart()  # takes it up

    batch = world.put(Wake(run_id=RUN, found_busy=True)).batch

    assert batch.positions == []
    assert world.positions[RUN].busy


def test_who_only_waits_for_a_run_writes_nothing() -> None:
    """A caller that asks for a paused run changes nothing in the log."""
    world = World(paused)
    world.start("paused")

    assert not world.put(Wake(run_id=RUN)).batch
