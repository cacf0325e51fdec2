from hashlib import sha256
from typing import Any

import pytest

from hitl_events import Run, recipe
from hitl_events.domain.commands import CancelRun
from hitl_events.domain.refusals import REJECTED_PER_RUN_MAX, Refused
from hitl_events.domain.values import NO_DIGEST, RunId
from hitl_events.engine.engine import INPUT_BYTES_MAX
from hitl_events.engine.inputs import Due, Wake
from hitl_events.errors import CorruptLog
from tests.unit.world import RUN, World

RAN: list[str] = []


def step(name: str) -> str:
    RAN.append(name)
    return name


@recipe("r", version="1")
async def gated(run: Run, input: Any) -> Any:
    drafted = await run.step(step, "draft")
    made = await run.gate("g", draft=drafted)
    return [made.verdict, await run.step(step, "publish", once=True)]


@recipe("timed", version="1")
async def timed(run: Run, input: Any) -> Any:
    made = await run.all(
        run.gate("g", expires_in=10, on_expiry="deny"),
        run.gate("h", expires_in=11, on_expiry="deny"),
    )
    return [one.decided_by for one in made]


@pytest.fixture(autouse=True)
def fresh() -> None:
    RAN.clear()


def test_a_turn_changes_nothing_before_it_is_written() -> None:
    """Effects are data: what a turn starts and answers is in it, and a lost one leaves no trace."""
    world = World(gated)
    turn = world.put(world.submission(world.starting("r")), commit=False)

    assert [appended.event.seq for appended in turn.batch.events] == [1]
    assert [start.request.key for start in turn.starts] == [("step", "step", 1)]
    assert [offset for offset, _ in turn.batch.settled] == [1]
    assert world.start("r").status == "paused"
    assert RAN == ["draft"]


def test_an_empty_turn_is_empty() -> None:
    """Inputs that cause nothing write nothing."""
    world = World(gated)
    world.start("r")

    nobody = RunId("nobody")
    for entry in (Wake(run_id=RUN), Due(run_id=RUN, until=world.time), Wake(run_id=nobody)):
        turn = world.put(entry)
        assert (turn.empty, turn.starts) == (True, [])


def test_every_event_follows_its_predecessor() -> None:
    """Seq counts without gaps, prev_digest is SHA-256 of the stored predecessor, zeros at first."""
    world = World(gated)
    world.start("r")
    world.decide("perhaps")
    world.decide()
    head = NO_DIGEST
    for at, value in enumerate(world.log[RUN], 1):
        event = world.codec.decode(value)
        assert (event.seq, event.run_id, event.prev_digest) == (at, RUN, head)
        head = sha256(value).digest()

    assert world.positions[RUN].head == head
    assert world.positions[RUN].seq == len(world.log[RUN])


def test_the_position_says_what_wakes_a_run() -> None:
    """Status, earliest timer and whether steps are to run are kept by key of the run."""
    world = World(gated, timed)
    world.ask(world.starting("r"))
    running = world.positions[RUN]
    world.settle()
    paused = world.positions[RUN]
    world.start("timed", run_id="t")
    waiting = world.positions[RunId("t")]
    world.decide()
    ended = world.positions[RUN]

    assert (running.status, running.busy, running.due) == ("running", True, None)
    assert (paused.status, paused.busy) == ("paused", False)
    assert waiting.due is not None
    assert (ended.status, ended.busy, ended.due) == ("completed", False, None)


def test_a_step_that_runs_beside_an_open_gate_keeps_its_run_busy() -> None:
    """By its events such a run is paused; a successor takes it up all the same."""

    @recipe("both", version="1")
    async def both(run: Run, input: Any) -> Any:
        await run.all(run.step(step, "beside"), run.gate("g"))

    world = World(both)
    world.ask(world.starting("both"))
    assert world.positions[RUN].busy
    world.restart()

    assert [start.request.key[1] for start in world.held] == ["step"]


def test_the_input_has_a_bound() -> None:
    """An input beyond it is too_large and starts nothing."""
    world = World(gated)
    assert INPUT_BYTES_MAX == 256 * 1024
    fits = world.starting("r", "x" * (INPUT_BYTES_MAX - 2))
    more = world.starting("r", "x" * (INPUT_BYTES_MAX - 1), run_id="more")

    assert world.ask(fits).reason is None
    assert world.ask(more).reason == "too_large"
    assert RunId("more") not in world.log


def test_what_could_not_be_read_is_a_dead_letter() -> None:
    """A record that is no command is kept with its reason and answered with it."""
    world = World(gated)
    entry = world.submission(world.starting("r"))
    entry.command = Refused(reason="unreadable", message="m")  # type: ignore[misc]  # as the edge does

    world.put(entry)

    assert (world.answers[0].reason, world.answers[0].run_id) == ("unreadable", None)
    assert [(letter.reason, letter.value) for letter in world.dead] == [("unreadable", b"{}")]


@pytest.mark.parametrize("reason", ["unknown_recipe", "run_exists", "unknown_run", "run_ended"])
def test_refused_commands_are_dead_letters(reason: str) -> None:
    """Commands that have no place in a run leave no event in any."""
    world = World(gated)
    world.start("r")
    command: Any = {
        "unknown_recipe": world.starting("nobody", run_id="x"),
        "run_exists": world.starting("r", "other input"),
        "unknown_run": CancelRun(
            run_id=RunId("x"), reason="", command_id="c", origin=world.origin()
        ),
        "run_ended": CancelRun(run_id=RUN, reason="", command_id="c", origin=world.origin()),
    }[reason]
    if reason == "run_ended":
        world.decide()
    before = world.log[RUN].copy()

    assert world.ask(command).reason == reason
    assert [letter.reason for letter in world.dead] == [reason]
    assert world.log == {RUN: before}


def test_a_start_that_comes_again_is_answered_like_the_first() -> None:
    """Redelivered while it runs, paused and ended: the same run, no event, the same answer."""
    world = World(gated)
    first = world.ask(world.starting("r"))
    again = [world.ask(world.starting("r"))]
    world.settle()
    again.append(world.ask(world.starting("r")))
    world.decide()
    again.append(world.ask(world.starting("r")))

    assert again == [first] * 3
    assert world.story().count("RunStarted") == 1
    assert RAN == ["draft", "publish"]


def test_a_start_that_comes_again_takes_the_run_up() -> None:
    """A run that nobody has taken up since a crash goes on when it is asked for again."""
    world = World(gated)
    world.ask(world.starting("r"))
    world.held = []
    world.engine = world._new_engine()

    world.ask(world.starting("r"))

    assert world.settle().status == "paused"
    assert RAN == ["draft"]


def _swapped(values: list[bytes]) -> list[bytes]:
    return [values[0], values[2], values[1]]


def _of_another(values: list[bytes]) -> list[bytes]:
    return [value.replace(b"\x06run", b"\x06nur") for value in values]


def _beheaded(values: list[bytes]) -> list[bytes]:
    return values[1:]


def _edited(values: list[bytes]) -> list[bytes]:
    return [values[0], values[1].replace(b"draft", b"graft"), values[2]]


@pytest.mark.parametrize("damage", [_swapped, _of_another, _edited, _beheaded])
def test_a_history_that_does_not_follow_is_corrupt(damage: Any) -> None:
    """Events that were swapped, edited, removed or are of another run are not driven on."""
    world = World(gated)
    world.start("r")
    decision = world.deciding()
    world.log[RUN] = damage(world.log[RUN])
    world.engine = world._new_engine()

    with pytest.raises(CorruptLog):
        world.put(world.submission(decision))


def test_a_repeat_is_answered_like_the_first() -> None:
    """The same decision again gets its seq, or its reason and winner, again."""
    world = World(gated)
    world.start("r")
    token = world.token()
    won, lost = world.deciding(token=token), world.deciding("deny", token=token)
    first = [world.ask(won), world.ask(lost)]
    events = len(world.log[RUN])

    assert [world.ask(won), world.ask(lost)] == first
    world.settle()
    world.restart()
    assert [world.ask(won), world.ask(lost)] == first
    assert first[1].winner is not None
    assert first[1].winner.decision_id == won.decision_id
    assert len(world.log[RUN]) == events + 2


def test_the_first_of_racing_decisions_wins() -> None:
    """Twelve decisions in one batch: one closes the gate, eleven are told which."""
    world = World(gated)
    world.start("r")
    token = world.token()
    racing = [world.deciding(token=token, decided_by=f"p{at}") for at in range(12)]

    world.put(*(world.submission(each) for each in racing))

    won, *lost = world.answers[1:]
    assert won.reason is None
    assert {answer.reason for answer in lost} == {"token_used"}
    winners = {answer.winner.decision_id for answer in lost if answer.winner}
    assert winners == {racing[0].decision_id}


def test_after_the_last_rejection_come_dead_letters() -> None:
    """A run keeps a hundred refusals; those after it are dead letters with the same answer."""
    world = World(gated)
    world.start("r")
    token = world.token()
    for _ in range(REJECTED_PER_RUN_MAX + 2):
        assert world.ask(world.deciding("perhaps", token=token)).reason == "unknown_verdict"

    assert len([line for line in world.story() if "Rejected" in line]) == REJECTED_PER_RUN_MAX
    assert [letter.reason for letter in world.dead] == ["unknown_verdict"] * 2
    assert world.decide().status == "ok"


def _scenario(cached_runs_max: int) -> World:
    """Five runs, taken in turns, with decisions, refusals, cancellation and expiry."""
    world = World(gated, timed, cached_runs_max=cached_runs_max)
    names = [f"run{at}" for at in range(4)]
    for name in names:
        world.start("r", name, run_id=name)
    world.start("timed", run_id="t")
    for verdict in ("perhaps", "approve", "deny"):
        for name in names[1:]:
            world.decide(verdict, run_id=name, token=_token(world, name))
    world.cancel("run0")
    world.decide(gate="g", run_id="t", decided_by="ann")
    world.wait(12)
    world.settle()
    return world


def _token(world: World, run_id: str) -> str:
    """The token of the first gate, open or not."""
    token = world.keys.issue(run_id, 3, bytes(range(16)), world.keys.kid)
    assert token is not None
    return token


@pytest.mark.parametrize("cached_runs_max", [0, 1, 3])
def test_the_size_of_the_cache_changes_nothing(cached_runs_max: int) -> None:
    """Losing what is kept in memory is slower, never wrong: the same events byte for byte."""
    whole, small = _scenario(512), _scenario(cached_runs_max)

    assert small.log == whole.log
    assert small.positions == whole.positions
    assert small.answers == whole.answers


def test_a_run_with_running_steps_stays_in_memory() -> None:
    """It is not evicted, however small the cache: its step would be begun again."""
    world = World(gated, cached_runs_max=0)
    world.ask(world.starting("r"))
    world.ask(world.starting("r", run_id="other"))
    world.settle()

    assert RAN == ["draft", "draft"]
    assert world.outcome().status == "paused"


def test_an_ended_run_is_forgotten_and_still_answers() -> None:
    """What ended is read again for a late decision; the answer names the winner."""
    world = World(gated)
    world.start("r")
    token = world.token()
    world.decide(decided_by="ann")
    assert world.engine.look(RUN) is None

    late = world.ask(world.deciding("deny", token=token))

    assert (late.reason, late.winner and late.winner.decided_by) == ("token_used", "ann")
    assert world.outcome().status == "ok"


def test_a_timer_fires_what_was_due_when_the_intake_was_read() -> None:
    """A gate that ran out after that stays open: somebody may have decided in time."""
    world = World(timed)
    world.start("timed")
    read_at = world.time
    world.clock.advance(20)
    in_between = world.clock.now()
    world.put(Due(run_id=RUN, until=read_at))
    assert world.story()[-1] == "GatePaused h"
    world.clock.advance(1)

    world.put(Due(run_id=RUN, until=in_between))

    assert world.story()[3:] == [
        "DecisionReceived g deny",
        "DecisionReceived h deny",
        "RunCompleted",
    ]


def test_who_came_in_time_wins_though_the_engine_was_down() -> None:
    """A decision that arrived before the deadline counts when it is taken long after it."""
    world = World(timed)
    world.start("timed")
    arrived_at = world.time
    world.clock.advance(3600)
    in_time = world.deciding(gate="g", decided_by="ann", arrived_at=arrived_at)

    world.put(world.submission(in_time), Due(run_id=RUN, until=world.time))

    assert world.outcome().artefact["result"] == ["ann", None]


def test_a_late_one_fires_the_timer_of_its_gate() -> None:
    """It is refused, and its gate is closed before it in the same batch; other gates stay."""
    world = World(timed)
    world.start("timed")
    world.clock.advance(10.5)

    answer = world.ask(world.deciding(gate="g"))

    assert (answer.reason, answer.winner and answer.winner.verdict) == ("token_used", "deny")
    assert world.story()[3:] == ["DecisionReceived g deny", "DecisionRejected token_used"]


def test_a_short_lived_owner_settles_all_and_drives_its_own() -> None:
    """Decisions of every run are recorded; only the runs it came for go on."""
    world = World(gated)
    for name in ("mine", "other"):
        world.start("r", run_id=name)
    tools: Any = world._settings
    tools["only"] = {RunId("mine")}
    world.restart()
    for name in ("mine", "other"):
        world.decide(run_id=name, token=_token(world, name))

    assert world.outcome("mine").status == "ok"
    assert world.story("other")[-1] == "DecisionReceived g approve"
    tools["only"] = None
    world.restart()
    assert world.settle("other").status == "ok"


def test_a_short_lived_owner_leaves_runs_whose_recipe_it_lacks() -> None:
    """Such a run is neither blocked nor driven; a start that only others can take waits."""
    world = World(gated)
    world.start("r")
    tools: Any = world._settings
    tools["only"] = {RUN}
    world.restart(timed)
    world.decide()
    turn = world.put(world.submission(world.starting("r", run_id="new")))

    assert world.story()[-1] == "DecisionReceived g approve"
    assert turn.batch.settled == []
    tools["only"] = None
    world.restart(gated)
    assert world.settle().status == "ok"


def test_a_decision_on_data_is_checked_by_the_recipes_own_type() -> None:
    """What the recorded schema lets through but the code refuses is invalid_data."""

    class Even(int):
        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            from pydantic_core import core_schema

            def check(value: int) -> int:
                if value % 2:
                    raise ValueError("odd")
                return value

            return core_schema.no_info_after_validator_function(check, handler(int))

    from pydantic import create_model

    model = create_model("Model", n=(Even, ...))

    @recipe("typed", version="1")
    async def typed(run: Run, input: Any) -> Any:
        made: Any = await run.gate("g", data=model)
        return made.data.n

    world = World(typed)
    world.start("typed")

    assert world.ask(world.deciding(data={"n": "x"})).reason == "invalid_data"
    answer = world.ask(world.deciding(data={"n": 3}))
    assert (answer.reason, "odd" in answer.message) == ("invalid_data", True)
    assert world.decide(data={"n": 4}).artefact["result"] == 4


def test_a_decision_reaches_the_recipe_of_a_run_that_was_not_in_memory() -> None:
    """A restart between pause and decision changes nothing of what follows."""
    worlds = [World(gated), World(gated)]
    for world in worlds:
        world.start("r")
    worlds[1].restart()
    for world in worlds:
        world.decide()

    assert worlds[0].log == worlds[1].log
