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
from tests.unit.engine.played import RAN, gated, step, timed
from tests.unit.world import RUN, World


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
