"""Steps that outlive the ownership of their partition: joined, or reported to who has it now."""

from dataclasses import replace
from typing import Any

import pytest

from hitl_events import Retry, Run, recipe
from hitl_events.domain.commands import Origin, StepReported
from hitl_events.domain.values import RunId
from hitl_events.engine.inputs import StepReport, StepStart, Wake
from tests.unit.world import RUN, World

RAN: list[str] = []


def step(name: str) -> str:
    RAN.append(name)
    if name.startswith("broken"):
        raise ConnectionError(name)
    return name


@recipe("careful", version="1")
async def careful(run: Run, input: Any) -> Any:
    return [await run.step(step, input or "send", name="send", once=True), await run.gate("g")]


@recipe("plain", version="1")
async def plain(run: Run, input: Any) -> Any:
    again = Retry(attempts=2, initial_s=1)
    made = await run.step(step, input or "draft", name="draft", retry=again)
    return [made, (await run.gate("g")).verdict]


@recipe("both", version="1")
async def both(run: Run, input: Any) -> Any:
    return await run.all(
        run.step(step, "draft", name="draft"), run.step(step, "send", name="send", once=True)
    )


@pytest.fixture(autouse=True)
def fresh() -> None:
    RAN.clear()


@pytest.fixture
def world() -> World:
    return World(careful, plain, both)


def end_of(world: World, name: str) -> StepReport:
    """The step of the first owner ends, and nobody hears of it yet."""
    (report,) = world.run_steps(name)
    return report


def as_command(world: World, report: StepReport) -> StepReported:
    """As it reaches whoever has the partition then."""
    kind, name, occurrence = report.key
    return StepReported(
        run_id=report.run_id,
        kind=kind,
        step=name,
        occurrence=occurrence,
        attempt=report.attempt,
        args_digest=report.args_digest,
        duration_us=report.duration_us,
        output=report.output,
        error=report.error,
        message=report.message,
        retry_in=report.retry_in,
        command_id="c",
        origin=Origin(channel="engine", arrived_at=world.time),
    )


def joins(world: World, *starts: StepStart) -> None:
    """The same process has the partition again, and these steps are still at work in it."""
    busy = [at.run_id for at in world.positions.values() if at.busy]
    world.positions = {}
    world.restart()
    for start in starts:
        world.engine.adopt(start.run_id, start.request.key, start.attempt)
    world.wake(*busy)


# reported to another owner


@pytest.mark.parametrize("name", ["careful", "plain"])
def test_a_result_from_before_is_recorded(world: World, name: str) -> None:
    """The step ran once, under the owner before, and the run goes on behind it."""
    world.ask(world.starting(name))
    report = end_of(world, "send" if name == "careful" else "draft")
    world.restart(ask_after_s=10)
    world.held = []  # should this owner have begun it too, it is not that far

    world.ask(as_command(world, report))

    assert world.story()[-2:] == [f"StepCompleted {report.key[1]}", "GatePaused g"]
    assert world.held == []
    assert len(RAN) == 1


def test_what_this_owner_began_as_well_is_not_waited_for(world: World) -> None:
    """A plain step runs again under the new owner: whichever ends first counts, once."""
    world.ask(world.starting("plain"))
    report = end_of(world, "draft")
    world.restart()
    assert [start.attempt for start in world.held] == [1]

    world.ask(as_command(world, report))
    world.settle()

    assert world.story() == ["RunStarted", "StepCompleted draft", "GatePaused g"]
    active = world.engine.look(RUN)
    assert active is not None
    assert active.running == {}


def test_a_step_that_is_over_does_not_begin_in_the_same_turn(world: World) -> None:
    """The new owner takes the run up and hears of the step's end in one batch (P4)."""
    world.ask(world.starting("plain"))
    report = end_of(world, "draft")
    world.positions = {}  # nobody takes it up but the turn below
    world.restart()

    turn = world.put(Wake(run_id=RUN), world.submission(as_command(world, report)))

    assert turn.starts == []
    assert world.story() == ["RunStarted", "StepCompleted draft", "GatePaused g"]


def test_the_same_report_twice_changes_nothing(world: World) -> None:
    """Whoever sends it may not know that it arrived."""
    world.ask(world.starting("careful"))
    command = as_command(world, end_of(world, "send"))
    world.restart(ask_after_s=10)

    first, second = world.ask(command), world.ask(command)

    assert (first.reason, second.reason) == (None, None)
    assert world.story() == ["RunStarted", "StepStarted send", "StepCompleted send", "GatePaused g"]
    assert world.dead == []


def test_a_report_closes_the_question(world: World) -> None:
    """Somebody was asked already: now it is known, and a late word changes nothing."""
    world.ask(world.starting("careful"))
    report = end_of(world, "send")
    world.restart()
    assert world.story()[-1] == "GatePaused reconcile:send"
    late = world.deciding("did_not_happen")

    world.ask(as_command(world, report))
    answer = world.ask(late)

    assert world.story()[3:] == [
        "GateClosed reconcile:send superseded",
        "StepCompleted send",
        "GatePaused g",
        "DecisionRejected superseded",
    ]
    assert answer.reason == "superseded"
    assert RAN == ["send"]
    world.replayed()


def test_a_word_that_came_first_counts(world: World) -> None:
    """A human said that it happened: the report behind it has nothing to add."""
    world.ask(world.starting("careful"))
    report = end_of(world, "send")
    world.restart()
    world.ask(world.deciding("happened", data={"output": "seen"}))
    told = world.story()

    world.ask(as_command(world, report))

    assert world.story() == told


def test_a_failure_from_before_is_tried_again_here(world: World) -> None:
    """By its own policy, after the pause that the process before had chosen."""
    world.ask(world.starting("plain", "broken"))
    report = end_of(world, "draft")
    world.restart()
    world.held = []

    world.ask(as_command(world, report))
    assert world.story()[-1] == "StepFailed draft again"
    world.wait(1)

    assert [start.attempt for start in world.held] == [2]


def test_a_report_of_no_step_of_the_recipe_is_ignored(world: World) -> None:
    """It would be the first divergence of the run: code or keys were mixed up somewhere."""
    world.ask(world.starting("plain"))
    command = as_command(world, end_of(world, "draft"))
    world.restart()

    answer = world.ask(replace(command, step="other"))

    assert answer.reason is None
    assert world.story() == ["RunStarted"]
    assert world.settle().status == "paused"


def test_a_report_for_a_run_that_holds_for_another_step(world: World) -> None:
    """While nobody is asked about its `once` step yet, the end of a plain one is recorded."""
    world.ask(world.starting("both"))
    report = end_of(world, "draft")
    world.restart(ask_after_s=10)

    world.ask(as_command(world, report))

    assert world.story() == ["RunStarted", "StepStarted send", "StepCompleted draft"]
    assert world.held == []


def test_a_report_for_a_blocked_run(world: World) -> None:
    """What is known of a `once` step is recorded, so that nobody is asked later."""
    world.ask(world.starting("careful"))
    report = end_of(world, "send")
    world.restart(plain)
    assert world.story()[-1] == "RunBlocked recipe.unknown"

    world.ask(as_command(world, report))
    world.restart(careful, plain)
    world.unblock()

    assert world.story()[2:] == [
        "RunBlocked recipe.unknown",
        "StepCompleted send",
        "RunUnblocked",
        "GatePaused g",
    ]


def test_a_report_of_an_unknown_run_is_a_dead_letter(world: World) -> None:
    """It is kept for whoever looks why the log lacks the run."""
    world.ask(world.starting("plain"))
    command = as_command(world, end_of(world, "draft"))

    assert world.ask(replace(command, run_id=RunId("gone"))).reason == "unknown_run"

    assert [letter.reason for letter in world.dead] == ["unknown_run"]


# joined by the same process


@pytest.mark.parametrize("name", ["careful", "plain"])
def test_a_step_that_still_runs_here_is_joined(world: World, name: str) -> None:
    """It is neither begun again nor asked about; its end is recorded."""
    world.ask(world.starting(name))
    (start,) = world.held

    joins(world, start)
    assert (world.held, len(world.story())) == ([], 2 if name == "careful" else 1)
    world.held = [start]
    world.settle()

    assert world.story()[-2:] == [f"StepCompleted {start.request.key[1]}", "GatePaused g"]
    assert len(RAN) == 1


def test_a_step_that_the_log_knows_is_not_joined(world: World) -> None:
    """Another owner had it in between: what it recorded stays, and nobody waits for more."""
    world.ask(world.starting("plain"))
    (start,) = world.held
    world.settle()
    told = world.story()

    joins(world, start)
    world.held = [start]
    world.settle()

    assert world.story() == told
    assert world.decide().status == "ok"


def test_a_question_of_an_owner_in_between_is_answered_by_the_end(world: World) -> None:
    """The step runs here, and another owner has asked about it meanwhile."""
    world.ask(world.starting("careful"))
    (start,) = world.held
    world.restart()
    assert world.story()[-1] == "GatePaused reconcile:send"

    joins(world, start)
    world.held = [start]
    world.settle()

    assert world.story()[3:] == [
        "GateClosed reconcile:send superseded",
        "StepCompleted send",
        "GatePaused g",
    ]


def test_a_word_about_a_step_that_runs_here_ends_it(world: World) -> None:
    """A human said that it happened while it did: its own end is not recorded after that."""
    world.ask(world.starting("careful"))
    (start,) = world.held
    world.restart()
    joins(world, start)

    world.ask(world.deciding("happened", data={"output": "seen"}))
    world.held = [start]
    world.settle()

    assert [line for line in world.story() if "StepCompleted" in line] == ["StepCompleted send"]
    assert world.outcome().artefact["steps"]["send"] == "seen"


def test_a_word_against_a_step_that_runs_here_waits_for_it(world: World) -> None:
    """A human said that it did not happen, but it is at work: it does not begin a second time."""
    world.ask(world.starting("careful"))
    (start,) = world.held
    world.restart()
    joins(world, start)

    world.ask(world.deciding("did_not_happen"))
    assert world.held == []
    world.held = [start]
    world.settle()

    assert world.story()[-2:] == ["StepCompleted send", "GatePaused g"]
    assert RAN == ["send"]
