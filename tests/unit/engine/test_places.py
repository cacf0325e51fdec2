"""Runs that live in another partition, and steps that their last owner may still be in."""

from dataclasses import replace
from typing import Any

from hitl_events import Run, recipe
from hitl_events.engine.inputs import Submission
from tests.unit.world import RUN, World


def step(name: str) -> str:
    return name


@recipe("r", version="1")
async def careful(run: Run, input: Any) -> Any:
    made = await run.gate("g")
    return [made.verdict, await run.step(step, "publish", once=True)]


def _there(world: World, *, forwarded: bool = False) -> Submission:
    entry = world.submission(world.starting("r"))
    record = replace(entry.record(), forwarded=forwarded)
    return replace(entry, record=lambda: record)


def test_a_record_whose_run_lives_elsewhere_goes_on_there() -> None:
    """It is passed on as it came, answered by nobody here, and leaves no event."""
    world = World(careful, place=lambda _: 3)
    entry = _there(world)

    batch = world.put(entry).batch

    assert [(each.number, each.partition) for each in batch.forwards] == [(entry.settles, 3)]
    assert batch.forwards[0].record == entry.record()
    assert (batch.events, batch.settled, batch.dead_letters) == ([], [], [])


def test_a_record_is_passed_on_once() -> None:
    """One that was forwarded to a partition where its run does not live is a dead letter."""
    world = World(careful, place=lambda _: 3)

    batch = world.put(_there(world, forwarded=True)).batch

    assert [letter.reason for letter in batch.dead_letters] == ["misrouted"]
    assert (batch.forwards, [answer.reason for _, answer in batch.settled]) == ([], ["misrouted"])


def test_a_run_that_lives_here_is_not_passed_on() -> None:
    """Where the places agree a forwarded record is as any other."""
    world = World(careful, place=lambda _: 0)

    world.put(_there(world, forwarded=True))

    assert world.story() == ["RunStarted", "GatePaused g"]


def test_a_forged_token_is_never_passed_on() -> None:
    """A token with a wrong MAC names no run, so it is refused where it came in."""
    world = World(careful, place=lambda _: 3)
    entry = world.submission(world.deciding(token="hitl_forged"))

    batch = world.put(entry).batch

    assert [letter.reason for letter in batch.dead_letters] == ["invalid_token"]
    assert batch.forwards == []


def test_nobody_is_asked_while_the_last_owner_may_be_in_the_step() -> None:
    """The reconcile gate opens once the pause after taking over is past, by a timer of the run."""
    world = World(careful)
    world.start("r")
    world.ask(world.deciding())
    assert world.story()[-1] == "StepStarted step"

    world.restart(ask_after_s=10)
    held = world.positions[RUN]
    assert (world.story()[-1], held.busy) == ("StepStarted step", True)
    world.wait(9)
    assert world.story()[-1] == "StepStarted step"
    world.wait(1)

    assert world.story()[-1] == "GatePaused reconcile:step"
    assert world.decide("did_not_happen").status == "ok"


def test_a_run_without_uncertain_steps_goes_on_at_once() -> None:
    """The pause after taking over holds back only whom somebody has to be asked about."""
    world = World(careful)
    world.start("r")

    world.restart(ask_after_s=10)

    assert world.decide().status == "ok"
