"""P10: a record whose processing raises is a dead letter; nobody else notices."""

from functools import partial
from typing import Any

import pytest

from hitl_events import Run, recipe
from hitl_events.domain.events import DecisionReceived, GatePaused, RunBlocked, StepCompleted
from hitl_events.engine.inputs import Wake
from tests.unit.world import RUN, World

RAN: list[int] = []


def a() -> str:
    RAN.append(1)
    return "a"


def b() -> str:
    RAN.append(2)
    return "b"


@recipe("r", version="1")
async def gated(run: Run, input: Any) -> Any:
    await run.step(a)
    return (await run.gate("g", draft=input)).verdict


@recipe("two", version="1")
async def two(run: Run, input: Any) -> Any:
    return (await run.all(run.step(a), run.step(b, once=True), run.gate("g")))[:2]


@pytest.fixture(autouse=True)
def fresh() -> None:
    RAN.clear()


def _run_of(event: Any, run_id: str) -> bool:
    return bool(event.run_id == run_id)


def _is_of_step(step: str, event: Any) -> bool:
    return bool(getattr(event, "step", "") == step)


def test_a_command_that_raises_is_a_dead_letter() -> None:
    """It is answered with engine_error and kept whole; the run does not exist."""
    world = World(gated)
    world.codec.fails = lambda event: _run_of(event, "bad")

    answer = world.ask(world.starting("r", run_id="bad"))

    assert answer.reason == "engine_error"
    assert [letter.reason for letter in world.dead] == ["engine_error"]
    assert "ZeroDivisionError" in answer.message
    assert world.log == {}


def test_the_neighbours_in_the_batch_go_on() -> None:
    """Of three starts in one batch the one in the middle raises; the others are written."""
    world = World(gated)
    world.codec.fails = lambda event: _run_of(event, "bad")
    starts = [world.starting("r", run_id=name) for name in ("one", "bad", "two")]

    turn = world.put(*(world.submission(start) for start in starts))
    world.settle()

    assert [error.__class__ for _, error in turn.faults] == [ZeroDivisionError]
    assert [answer.reason for answer in world.answers] == [None, "engine_error", None]
    assert [world.outcome(name).status for name in ("one", "two")] == ["paused", "paused"]


def test_a_decision_that_raises_leaves_its_run_as_it_was() -> None:
    """The run is read again from the log; the same decision counts once the defect is mended."""
    world = World(gated)
    world.start("r")
    before = world.story()
    world.codec.fails = lambda event: isinstance(event, DecisionReceived)
    decision = world.deciding()

    assert world.ask(decision).reason == "engine_error"
    assert world.story() == before
    world.codec.fails = lambda _: False
    assert world.ask(decision).reason is None
    assert world.settle().status == "ok"


def test_what_was_before_it_in_the_batch_is_written() -> None:
    """Inputs of one run before the fault are kept, those after it are taken again, in order."""
    world = World(gated)
    world.start("r")
    world.codec.fails = lambda event: getattr(event, "verdict", "") == "crash"
    decisions = [world.deciding(verdict) for verdict in ("perhaps", "crash", "approve")]

    world.put(*(world.submission(decision) for decision in decisions))
    world.settle()

    assert [answer.reason for answer in world.answers[1:]] == [
        "unknown_verdict",
        "engine_error",
        None,
    ]
    assert world.story()[3:] == [
        "DecisionRejected unknown_verdict",
        "DecisionReceived g approve",
        "RunCompleted",
    ]


def test_events_of_one_input_are_written_together() -> None:
    """A decision whose consequence raises is not written without it."""
    world = World(gated)
    world.codec.fails = lambda event: isinstance(event, GatePaused)

    world.start("r")

    assert world.story() == ["RunStarted", "RunBlocked engine.error"]


def test_going_on_that_raises_blocks_the_run_visibly() -> None:
    """A step's result that can not be processed blocks the run, so that somebody hears of it."""
    world = World(gated)
    world.ask(world.starting("r"))
    world.codec.fails = lambda event: isinstance(event, StepCompleted)
    world.settle()
    blocked = world.events()[-1]

    assert isinstance(blocked, RunBlocked)
    assert blocked.code == "engine.error"
    assert "ZeroDivisionError" in blocked.message
    world.codec.fails = lambda _: False
    world.unblock()

    assert world.settle().status == "paused"
    assert RAN == [1, 1]


def test_a_run_that_can_not_even_be_blocked_is_left_alone() -> None:
    """It takes no more turns by itself, and the others do."""
    world = World(gated)
    world.start("r", run_id="good")
    world.ask(world.starting("r"))
    world.codec.fails = lambda event: _run_of(event, RUN)
    world.settle()
    turns = [world.put(Wake(run_id=RUN)) for _ in range(3)]

    assert [turn.batch.events for turn in turns] == [[], [], []]
    assert world.decide(run_id="good").status == "ok"


def test_steps_that_run_are_not_begun_again_after_a_fault() -> None:
    """A decision that raises beside two running steps leaves them running, and their ends count."""
    world = World(two)
    world.ask(world.starting("two"))
    token = world.token("g")
    world.codec.fails = lambda event: isinstance(event, DecisionReceived)

    assert world.ask(world.deciding(token=token)).reason == "engine_error"
    world.codec.fails = lambda _: False
    assert len(world.held) == 2
    world.settle()
    world.decide(token=token)

    assert sorted(RAN) == [1, 2]
    assert world.outcome().artefact["result"] == ["a", "b"]
    assert "GatePaused reconcile:b" not in world.story()


def test_a_step_whose_report_raised_is_not_taken_for_running() -> None:
    """After the block is lifted it runs again; a once step is asked for."""
    for name, last in (("a", "StepCompleted a"), ("b", "GatePaused reconcile:b")):
        world = World(two)
        world.ask(world.starting("two"))
        world.codec.fails = partial(_is_of_step, name)
        world.finish(name)
        assert world.story()[-1] == "RunBlocked engine.error"
        world.codec.fails = lambda _: False
        world.unblock()
        world.settle()
        assert last in world.story()


def test_a_fault_of_the_starting_input_begins_no_step() -> None:
    """Steps that a failing input would have started are not started."""
    world = World(two)
    world.codec.fails = lambda event: isinstance(event, GatePaused)

    turn = world.put(world.submission(world.starting("two")))

    assert turn.starts == []
    world.codec.fails = lambda _: False
    assert world.start("two").status == "paused"
    assert sorted(RAN) == [1, 2]


def test_a_recipe_that_breaks_the_driver_is_its_own_trouble() -> None:
    """A result that raises when it is dumped fails its run like any error; no dead letter."""

    class Bomb(dict[str, Any]):
        def items(self) -> Any:
            raise ZeroDivisionError("boom")

    @recipe("bomb", version="1")
    async def bomb(run: Run, input: Any) -> Any:
        return Bomb(a=1)

    world = World(bomb)
    outcome = world.start("bomb")

    assert outcome.status == "error"
    assert world.dead == []
