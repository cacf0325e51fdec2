import os
import subprocess
import sys
from typing import Any

import pytest

from hitl_events import Recipe, Run, recipe
from hitl_events.domain.events import RunBlocked, RunStarted, RunUnblocked
from hitl_events.errors import RecipeError
from hitl_events.recipes.book import Book, handles_in
from tests.unit.world import World


def version(number: str, name: str = "r") -> Recipe:
    """A recipe whose gate and result name its version."""

    @recipe(name, version=number)
    async def body(run: Run, input: Any) -> Any:
        made = await run.gate("g", expires_in=10, on_expiry="deny")
        return [number, made.verdict]

    return body


@recipe("r", version="1")
async def fitting(run: Run, input: Any) -> Any:
    return ["mended", (await run.gate("g")).verdict]


@recipe("r", version="1")
async def unfit(run: Run, input: Any) -> Any:
    await run.gate("other")


def test_a_run_keeps_its_version_and_a_new_one_takes_the_last() -> None:
    """A run is driven by the version it started with, whatever was registered since."""
    world = World(version("1"))
    world.start("r", run_id="old")
    world.restart(version("1"), version("2"))
    world.start("r", run_id="new")

    assert world.decide(run_id="old").artefact["result"] == ["1", "approve"]
    assert world.decide(run_id="new").artefact["result"] == ["2", "approve"]


def test_a_start_may_name_its_version() -> None:
    """Of several versions the named one is started; one that is not registered is refused."""
    world = World(version("1"), version("2"))
    world.start("r", version="1")

    started = world.events()[0]
    assert isinstance(started, RunStarted)
    assert started.version == "1"
    answer = world.ask(world.starting("r", run_id="x", version="3"))
    assert answer.reason == "unknown_recipe"
    assert "r (version 1), r (version 2)" in answer.message


def test_a_recipe_that_is_missing_blocks_its_run() -> None:
    """A run whose version is not registered blocks with recipe.unknown and names it."""
    world = World(version("1"))
    world.start("r")
    world.restart(version("2"))
    world.decide()

    blocked = world.events()[-1]
    assert isinstance(blocked, RunBlocked)
    assert (blocked.code, blocked.code_fingerprint) == ("recipe.unknown", "")
    assert "'r' version '1'" in blocked.message
    assert world.outcome().status == "error"


def test_a_missing_recipe_that_comes_back_unblocks_at_restore() -> None:
    """When a new owner finds the recipe registered the run goes on by itself."""
    world = World(version("1"))
    world.start("r")
    world.restart(version("2"))
    world.decide()
    world.restart(version("2"), version("1"))

    assert world.story()[-2:] == ["RunUnblocked", "RunCompleted"]
    assert world.outcome().artefact["result"] == ["1", "approve"]


def test_mended_code_unblocks_at_restore() -> None:
    """A run that blocked goes on at the next restart with code that fits its history."""
    world = World(version("1"))
    world.start("r")
    world.restart(unfit)
    world.decide()
    assert world.story()[-1] == "RunBlocked recipe.diverged"
    world.restart(fitting)

    unblocked = world.events()[-2]
    assert isinstance(unblocked, RunUnblocked)
    assert unblocked.code_fingerprint == fitting.code_fingerprint
    assert world.outcome().artefact["result"] == ["mended", "approve"]


def test_the_same_code_does_not_block_twice_in_the_log() -> None:
    """Restarts and decisions with code that still does not fit add nothing to the log."""

    @recipe("r", version="1")
    async def two(run: Run, input: Any) -> Any:
        return await run.all(run.gate("g"), run.gate("h"))

    world = World(two)
    world.start("r")
    world.restart(unfit)
    world.decide(gate="g")
    token = world.keys.issue("run", 3, bytes(range(16)), world.keys.kid)
    blocked = world.story()
    for _ in range(3):
        world.restart(unfit)
        world.unblock()
    world.decide(token=token)
    world.restart(unfit)

    assert blocked[-1] == "RunBlocked recipe.diverged"
    assert world.story() == [*blocked, "DecisionReceived h approve"]


def test_unblocking_by_hand_needs_code_that_fits() -> None:
    """`unblock` replays the run; it goes on if that comes to its last event."""
    world = World(version("1"))
    world.start("r")
    world.restart(unfit)
    world.decide()
    world.unblock()
    assert world.story()[-1] == "RunBlocked recipe.diverged"

    world.book = Book([fitting])
    world.engine = world._new_engine()
    answer = world.unblock()
    world.settle()

    assert answer.reason is None
    assert world.story()[-2:] == ["RunUnblocked", "RunCompleted"]


def test_unblocking_without_the_recipe_changes_nothing() -> None:
    """Where its recipe is still not registered the run stays blocked, and nobody is in error."""
    world = World(version("1"))
    world.start("r")
    world.restart(version("2"))
    world.decide()
    before = world.story()

    assert world.unblock().reason is None
    assert world.story() == before


def test_unblocking_what_is_not_blocked_changes_nothing() -> None:
    """A run that goes on is answered with its state."""
    world = World(version("1"))
    world.start("r")

    assert world.unblock().reason is None
    assert world.story() == ["RunStarted", "GatePaused g"]


@pytest.fixture
def blocked() -> World:
    """A run with two open gates that is blocked since the first was decided."""

    @recipe("r", version="1")
    async def two(run: Run, input: Any) -> Any:
        return await run.all(
            run.gate("g"), run.gate("h", expires_in=10, on_expiry="deny"), run.gate("i")
        )

    world = World(two)
    world.start("r")
    world.restart(unfit)
    world.decide(gate="g")
    assert world.story()[-1] == "RunBlocked recipe.diverged"
    return world


def _token(world: World, seq: int) -> str:
    token = world.keys.issue("run", seq, bytes(range(16)), world.keys.kid)
    assert token is not None
    return token


def test_a_blocked_run_takes_decisions(blocked: World) -> None:
    """A decision on a blocked run is received, and refused where it does not fit."""
    blocked.decide(token=_token(blocked, 4))
    blocked.decide("deny", token=_token(blocked, 4))

    assert blocked.story()[-2:] == ["DecisionReceived i approve", "DecisionRejected token_used"]
    assert blocked.outcome().status == "error"


def test_a_blocked_run_takes_an_expiry(blocked: World) -> None:
    """Gates of a blocked run run out of time like others."""
    blocked.wait(11)

    assert blocked.story()[-1] == "DecisionReceived h deny"


def test_a_blocked_run_can_be_cancelled(blocked: World) -> None:
    """Its tokens die, and it ends, as its code has nothing to take back."""
    outcome = blocked.cancel()

    assert blocked.story()[-2:] == ["CancelRequested", "RunCancelled"]
    assert [one.code for one in outcome.diagnostics][-1] == "run.cancelled"
    blocked.decide(token=_token(blocked, 4))
    assert blocked.answers[-1].reason == "run_ended"


def test_one_version_is_registered_once() -> None:
    """The same handle twice is once; two handles of one name and version are an error."""
    one = version("1")
    book = Book([one, one])

    assert book.known() == ("r (version 1)",)
    with pytest.raises(RecipeError, match="found two"):
        book.add(version("1"))


def test_the_last_registered_is_the_latest() -> None:
    """Not the greatest number but the last registration is what a new run takes."""
    book = Book([version("2"), version("10"), version("1")])
    found = book.find("r", None)

    assert found is not None
    assert found.version == "1"
    assert book.find("r", "10") is not None
    assert book.find("r", "3") is None
    assert book.find("q", None) is None


def test_handles_are_found_in_a_module() -> None:
    """Every handle among the names of a module, each once."""
    one, two = version("1"), version("2")

    assert handles_in({"a": one, "b": 1, "c": two, "again": one}) == [one, two]


def test_the_fingerprint_is_that_of_the_code() -> None:
    """The same code has the same fingerprint, changed code another."""

    def code(text: str) -> Recipe:
        @recipe("r", version="1")
        async def body(run: Run, input: Any) -> Any:
            return text

        return body

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return "other", len("code")

    assert code("a").code_fingerprint == code("a").code_fingerprint
    assert code("a").code_fingerprint != body.code_fingerprint


IN_SET = """
from hitl_events import Run, recipe

@recipe("r", version="1")
async def body(run: Run, input: str) -> bool:
    return input in {"a", "b", "c", "d", "e"}

print(body.code_fingerprint)
"""


def test_the_fingerprint_is_the_same_in_another_process() -> None:
    """A set that is written in the code has another order there: that is no change."""
    found = {
        subprocess.check_output(
            [sys.executable, "-c", IN_SET], env=os.environ | {"PYTHONHASHSEED": seed}
        )
        for seed in ("1", "2")
    }

    assert len(found) == 1


def fine(value: Any) -> Any:
    return value


@recipe("r", version="1")
async def gate_and_more(run: Run, input: Any) -> Any:
    """The same gate, beside a step that the code of before did not ask for."""
    made, more = await run.all(
        run.gate("g", expires_in=10, on_expiry="deny"), run.step(fine, "more", once=True)
    )
    return [made.verdict, more]


def test_a_deployment_wakes_nobody() -> None:
    """New code that asks for more beside an open gate is driven when something befalls the run."""
    world = World(version("1"))
    world.start("r")
    world.restart(gate_and_more)
    assert world.story()[-1] == "GatePaused g"
    assert world.outcome().status == "paused"

    assert world.decide().artefact["result"] == ["approve", "more"]
    world.replayed()


@pytest.mark.parametrize("how", ["started again", "unblocked", "timer"])
def test_what_takes_a_paused_run_up_takes_its_new_code_up(how: str) -> None:
    """The same start again, an unblock that is not needed, and a timer drive the run on."""
    world = World(version("1"))
    world.start("r")
    world.restart(gate_and_more)

    match how:
        case "started again":
            assert world.ask(world.starting("r")).reason is None
        case "unblocked":
            assert world.unblock().reason is None
        case _:
            world.wait(11)

    world.settle()
    assert "StepCompleted fine" in world.story()
    assert world.outcome().status == ("ok" if how == "timer" else "paused")
    world.replayed()
