from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from hitl_events import Run, recipe
from hitl_events.recipes.calls import GateOptions, PauseKind
from tests.unit.world import SEED, START, World


def echo(value: Any = None) -> Any:
    return value


async def coroutine(value: Any) -> Any:
    return value


class Caller:
    def __call__(self, value: Any) -> Any:
        return value

    def method(self, value: Any) -> Any:
        return value


def test_now_is_the_time_of_the_event_that_came_last() -> None:
    """Time stands still between two events, and is the same on replay."""
    seen: list[datetime] = []

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        seen.append(run.now())
        await run.step(echo)
        seen.append(run.now())
        seen.append(run.now())
        await run.gate("g")
        seen.append(run.now())

    world = World(body)
    world.ask(world.starting("r"))
    world.clock.advance(1)
    world.settle()
    world.clock.advance(1)
    world.decide()
    world.clock.advance(86_400)
    world.replayed()

    expected = [START + timedelta(seconds=after) for after in (0, 1, 1, 2)]
    assert seen == expected * 2


def test_time_never_goes_back() -> None:
    """No event, and no `run.now()`, is earlier than its predecessor, whatever the clock says."""
    seen: list[datetime] = []

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(echo)
        seen.append(run.now())
        await run.gate("g", expires_in=10)
        seen.append(run.now())

    world = World(body)
    world.ask(world.starting("r"))
    world.clock.set_back(3_600)
    world.settle()
    world.decide()
    times = [event.recorded_at for event in world.events()]

    assert times == [START] * 5
    assert seen == [START] * 2
    gate = world.events()[2]
    assert gate.expires_at == START + timedelta(seconds=10)  # type: ignore[union-attr]  # that event is one


def test_randomness_comes_from_the_seed() -> None:
    """random() and uuid() are the same on every replay, differ from each other and between runs."""
    seen: list[Any] = []

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        seen.append((run.random(), run.uuid(), run.random(), run.uuid()))
        await run.step(echo)
        seen.append((run.random(), run.uuid()))
        await run.gate("g")

    world = World(body)
    world.start("r")
    world.replayed()
    first, second = seen[0], seen[1]

    assert seen[2:] == [first, second]
    assert len({*first, *second}) == 6
    assert all(0 <= drawn < 1 for drawn in (first[0], first[2], second[0]))
    assert all(isinstance(made, UUID) and made.version == 4 for made in (first[1], second[1]))


def test_what_a_seed_gives_is_for_ever() -> None:
    """Runs of an older release must replay: these values may never change."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return [run.random(), str(run.uuid()), run.random()]

    assert World(body).start("r").artefact["result"] == [
        0.33947570066964217,
        "b2ade0a4-c30c-4120-bd32-d33e3d94ecd7",
        0.051812401407427155,
    ]


def test_another_seed_gives_other_randomness() -> None:
    """What a recipe draws can not be guessed from its name and input."""
    seen: list[float] = []

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        seen.append(run.random())

    world = World(body)
    for run_id, seed in (("a", SEED), ("b", SEED), ("c", bytes(16))):
        command = world.starting("r", run_id=run_id)
        command.seed = seed  # type: ignore[misc]  # as the edge does
        world.ask(command)

    assert seen[0] == seen[1] != seen[2]


def test_the_run_has_its_id() -> None:
    """`run.id` is the id under which the run was started."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return run.id

    assert World(body).start("r", run_id="my-run").artefact["result"] == "my-run"


def test_a_step_has_the_name_of_its_function() -> None:
    """Functions, coroutine functions and methods name their step, unless one is given."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(echo)
        await run.step(coroutine, 1)
        await run.step(Caller().method, 2)
        await run.step(Caller(), 3, name="given")
        await run.step(lambda: 4, name="lambda")

    steps = World(body).start("r").artefact["steps"]

    assert steps == {"echo": None, "coroutine": 1, "method": 2, "given": 3, "lambda": 4}


def test_a_step_that_can_not_be_hashed_runs() -> None:
    """A callable object that compares by value is a step like any other."""

    class Equal(Caller):
        __hash__ = None  # type: ignore[assignment]  # as a dataclass with eq has it

        def __eq__(self, other: object) -> bool:
            return True

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return await run.step(Equal(), 3, name="given")

    assert World(body).start("r").artefact["result"] == 3


MISTAKES: list[tuple[Callable[[Any], Any], str]] = [
    (lambda run: run.step(lambda: 1), "name="),
    (lambda run: run.step(Caller(), 1), "name="),
    (lambda run: run.step(echo, name=""), "name"),
    (lambda run: run.step(echo, name="x" * 201), "name"),
    (lambda run: run.step(echo, name="\ud800"), "name"),
    (lambda run: run.step(coroutine(1).close() or 5), "function"),
    (lambda run: run.gate(""), "name"),
    (lambda run: run.gate("g", kind="robot"), "kind"),
    (lambda run: run.gate("g", verdicts=()), "verdicts"),
    (lambda run: run.gate("g", verdicts="approve"), "verdicts"),
    (lambda run: run.gate("g", verdicts=("a", "a")), "verdicts"),
    (lambda run: run.gate("g", verdicts=("a", "")), "verdicts"),
    (lambda run: run.gate("g", verdicts=("a", 5)), "verdicts"),
    (lambda run: run.gate("g", verdicts=("\ud800",)), "verdicts"),
    (lambda run: run.gate("g", on_expiry="deny"), "expires_in"),
    (lambda run: run.gate("g", expires_in=1, on_expiry=""), "verdict"),
    (lambda run: run.gate("g", expires_in=1, on_expiry=7), "verdict"),
    (lambda run: run.gate("g", expires_in=-1), "expires_in"),
    (lambda run: run.gate("g", expires_in=float("nan")), "expires_in"),
    (lambda run: run.gate("g", expires_in=1e300), "expires_in"),
    (lambda run: run.gate("g", data=Caller), "Caller"),
]


@pytest.mark.parametrize(("use", "said"), MISTAKES)
def test_a_mistake_in_the_recipe_is_told(use: Any, said: str) -> None:
    """A wrong use fails the run with a sentence about it, and nothing else."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await use(run)

    world = World(body)
    (found,) = world.start("r").diagnostics

    assert found.code == "recipe.failed"
    assert said in found.message
    assert world.dead == []


def test_gate_options_reach_the_event() -> None:
    """Kind, verdicts, deadline and the schema of the data stand in GatePaused."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.gate(
            "g",
            draft=[1],
            verdicts=("yes", "no"),
            data=dict[str, int],
            kind="external",
            expires_in=timedelta(minutes=1),
            on_expiry="no",
        )

    world = World(body)
    world.start("r")
    paused: Any = world.events()[1]

    assert (paused.pause_kind, paused.verdicts, paused.on_expiry) == (
        "external",
        ("yes", "no"),
        "no",
    )
    assert paused.expires_at == START + timedelta(minutes=1)
    schema = b'{"additionalProperties":{"type":"integer"},"type":"object"}'
    assert (paused.draft, paused.data_schema) == (b"[1]", schema)
    assert paused.token_kid == world.keys.kid


@pytest.mark.parametrize("kind", ["human", "external", "system", "schedule"])
def test_a_gate_has_one_of_four_kinds(kind: PauseKind) -> None:
    """The kind of a pause is the outcome's."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.gate("g", kind=kind)

    assert World(body).start("r").pause_kind == kind


def test_zero_is_a_deadline() -> None:
    """A gate may expire at once; a negative time is none."""
    assert GateOptions(expires_in=0).expires_in == timedelta(0)
