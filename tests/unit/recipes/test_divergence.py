"""Each way in which code can leave a recorded history, and what the block says about it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel

from hitl_events import Recipe, Run, StepError, hitl, recipe
from hitl_events.domain.events import RunBlocked
from hitl_events.errors import RecipeStopped
from tests.unit.world import World

Body = Callable[[Run, Any], Awaitable[Any]]


def a(value: Any = None) -> Any:
    return "a"


def b(value: Any = None) -> Any:
    return "b"


def broken() -> None:
    raise ValueError("no")


def code(body: Body) -> Recipe:
    """A body as the recipe `r`."""
    return recipe("r", version="1")(body)


async def original(run: Run, input: Any) -> Any:
    x = await run.step(a, 1)
    y = await run.step(b, x)
    made = await run.gate("g", draft=y)
    return [y, made.verdict]


async def removed(run: Run, input: Any) -> Any:
    y = await run.step(b, "a")
    return [y, (await run.gate("g", draft=y)).verdict]


async def renamed(run: Run, input: Any) -> Any:
    x = await run.step(a, 1, name="other")
    y = await run.step(b, x)
    return [y, (await run.gate("g", draft=y)).verdict]


async def added(run: Run, input: Any) -> Any:
    x = await run.step(a, 1)
    y = await run.step(b, x)
    await run.step(a, 2)
    return [y, (await run.gate("g", draft=y)).verdict]


async def reordered(run: Run, input: Any) -> Any:
    y = await run.step(b, "a")
    await run.step(a, 1)
    return [y, (await run.gate("g", draft=y)).verdict]


async def gate_for_step(run: Run, input: Any) -> Any:
    await run.gate("a")


async def step_for_gate(run: Run, input: Any) -> Any:
    y = await run.step(b, await run.step(a, 1))
    await run.step(a, y, name="g")


async def gate_renamed(run: Run, input: Any) -> Any:
    y = await run.step(b, await run.step(a, 1))
    await run.gate("h", draft=y)


async def other_draft(run: Run, input: Any) -> Any:
    y = await run.step(b, await run.step(a, 1))
    await run.gate("g", draft=[y])


async def ends_early(run: Run, input: Any) -> Any:
    return await run.step(a, 1)


async def raises_early(run: Run, input: Any) -> Any:
    await run.step(a, 1)
    raise ValueError("early")


async def second_first(run: Run, input: Any) -> Any:
    _first = run.step(a, 1)
    await run.step(a, 1)


CHANGES: list[tuple[Body, int, str, str]] = [
    (removed, 2, "step 'b'", "step 'a'"),
    (renamed, 2, "step 'other'", "step 'a'"),
    (added, 4, "step 'a' (2)", "gate 'g'"),
    (reordered, 2, "step 'b'", "step 'a'"),
    (gate_for_step, 2, "gate 'a'", "step 'a'"),
    (step_for_gate, 4, "step 'g'", "gate 'g'"),
    (gate_renamed, 4, "gate 'h'", "gate 'g'"),
    (ends_early, 3, "RunCompleted", "step 'b'"),
    (raises_early, 3, "RunFailed", "step 'b'"),
    (second_first, 2, "step 'a' (2)", "step 'a'"),
]


@pytest.mark.parametrize(
    ("changed", "at", "expected", "found"), CHANGES, ids=[change[0].__name__ for change in CHANGES]
)
def test_changed_code_blocks_at_the_first_difference(
    changed: Body, at: int, expected: str, found: str
) -> None:
    """The run blocks and names the event, what the code expects there and what the log has."""
    world = World(code(original))
    world.start("r")
    world.restart(code(changed))

    world.decide()

    blocked = world.events()[-1]
    assert isinstance(blocked, RunBlocked)
    assert (blocked.code, blocked.at_seq) == ("recipe.diverged", at)
    assert (blocked.expected, blocked.found) == (expected, found)
    (said,) = world.outcome().diagnostics
    assert (world.outcome().status, said.code) == ("error", "recipe.diverged")
    assert said.data == {"expected": expected, "found": found, "at_seq": at}


def test_a_changed_draft_is_a_divergence() -> None:
    """Code that would show something else now blocks: approval is bound to the draft."""
    world = World(code(original))
    shown = world.start("r").artefact["gates"]["g"]["draft"]
    world.restart(code(other_draft))

    world.decide()

    blocked = world.events()[-1]
    assert isinstance(blocked, RunBlocked)
    assert (blocked.code, blocked.at_seq) == ("recipe.diverged", 4)
    assert blocked.expected is not None
    assert blocked.expected.startswith("gate 'g' with the draft")
    assert world.outcome().artefact["gates"]["g"]["draft"] == shown


def test_the_same_code_does_not_block() -> None:
    """A function that is written anew and asks for the same goes on."""

    async def same(run: Run, input: Any) -> Any:
        y = await run.step(b, await run.step(a, 1))
        return [y, (await run.gate("g", draft="b")).verdict]

    world = World(code(original))
    world.start("r")
    world.restart(code(same))

    assert world.decide().artefact["result"] == ["b", "approve"]


def test_a_step_beside_is_no_divergence() -> None:
    """A step added beside one that is recorded fits: it is only new."""

    async def alone(run: Run, input: Any) -> Any:
        await run.all(run.step(a, 1))
        await run.gate("g")

    async def beside(run: Run, input: Any) -> Any:
        await run.all(run.step(a, 1), run.gate("g"), run.step(b))

    world = World(code(alone))
    world.start("r")
    world.restart(code(beside))

    assert world.decide().status == "ok"


class Old(BaseModel):
    x: int


class New(BaseModel):
    x: int
    y: int


def test_a_changed_input_type_is_a_divergence() -> None:
    """A recorded input that the code can not take any more blocks at the first event."""

    async def old(run: Run, input: Old) -> Any:
        await run.gate("g")

    async def new(run: Run, input: New) -> Any:
        await run.gate("g")

    world = World(code(old))
    world.start("r", {"x": 1})
    world.restart(code(new))
    world.decide()

    blocked = world.events()[-1]
    assert isinstance(blocked, RunBlocked)
    assert (blocked.code, blocked.at_seq) == ("recipe.diverged", 1)


def test_a_changed_output_type_is_a_divergence() -> None:
    """A recorded output that does not fit its step's type any more blocks at its event."""

    async def old(run: Run, input: Any) -> Any:
        def step() -> Old:
            return Old(x=1)

        await run.step(step)
        await run.gate("g")

    async def new(run: Run, input: Any) -> Any:
        def step() -> New:
            return New(x=1, y=2)

        await run.step(step)
        await run.gate("g")

    world = World(code(old))
    world.start("r")
    world.restart(code(new))
    world.decide()

    blocked = world.events()[-1]
    assert isinstance(blocked, RunBlocked)
    assert (blocked.code, blocked.at_seq) == ("recipe.diverged", 2)
    assert blocked.expected == "the type of step 'step'"


def test_a_changed_type_of_decision_data_is_a_divergence() -> None:
    """Recorded data that does not fit its gate's type any more blocks at the decision."""

    async def old(run: Run, input: Any) -> Any:
        await run.gate("g", data=Old)
        await run.gate("h")

    async def new(run: Run, input: Any) -> Any:
        await run.gate("g", data=New)
        await run.gate("h")

    world = World(code(old))
    world.start("r")
    world.decide(data={"x": 1})
    world.restart(code(new))
    world.decide()

    blocked = world.events()[-1]
    assert isinstance(blocked, RunBlocked)
    assert (blocked.code, blocked.at_seq) == ("recipe.diverged", 3)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ("another result", "RunCompleted"),
        ("fails now", "RunCompleted"),
        ("goes on", "RunCompleted"),
    ],
)
def test_a_changed_end_is_a_divergence(changed: str, found: str) -> None:
    """A replay of a run that has ended finds another result, an error, or a step more."""

    async def then(run: Run, input: Any) -> Any:
        return await run.step(a)

    async def now(run: Run, input: Any) -> Any:
        await run.step(a)
        if changed == "goes on":
            await run.step(b)
        if changed == "fails now":
            raise ValueError("no")
        return "other"

    world = World(code(then))
    world.start("r")
    world.restart(code(now))

    with pytest.raises(RecipeStopped) as caught:
        world.replayed()
    assert (caught.value.code, caught.value.at_seq) == ("recipe.diverged", 3)
    assert caught.value.found == found


def test_the_wording_of_an_error_may_change() -> None:
    """A run that failed replays with the same code and step, whatever the message says now."""

    def made(text: str) -> Body:
        async def body(run: Run, input: Any) -> Any:
            try:
                await run.step(broken)
            except StepError:
                raise ValueError(text) from None

        return body

    world = World(code(made("then")))
    world.start("r")
    world.restart(code(made("now")))

    world.replayed()


async def other_arguments(run: Run, input: Any) -> Any:
    x = await run.step(a, 2)
    y = await run.step(b, x)
    return [y, (await run.gate("g", draft=y)).verdict]


def test_changed_arguments_are_a_warning() -> None:
    """A recorded step that would now get other arguments keeps its output; the driver warns."""
    world = World(code(original))
    world.start("r")
    world.restart(code(other_arguments))

    assert world.decide().artefact["result"] == ["b", "approve"]
    assert world.replayed().warnings == ((2, "step 'a' got other arguments"),)


def test_changed_arguments_block_where_it_is_strict() -> None:
    """Under strict diagnostics changed arguments stop the run like any difference."""
    world = World(code(original), strict=True)
    world.start("r")
    world.restart(code(other_arguments))
    world.decide()

    blocked = world.events()[-1]
    assert isinstance(blocked, RunBlocked)
    assert (blocked.code, blocked.at_seq) == ("recipe.changed_arguments", 2)


def test_a_changed_graph_is_a_divergence() -> None:
    """A builder is a recipe like another: a step put before a recorded gate blocks."""

    def made(*, more: bool) -> Recipe:
        graph = Recipe("r", version="1").step("a", a)
        if more:
            graph.step("b", b, after="a")
        return graph.use(hitl("g", draft=lambda _: 1), after="b" if more else "a")

    world = World(made(more=False))
    world.start("r")
    world.restart(made(more=True))
    world.decide()

    assert world.story()[-1] == "RunBlocked recipe.diverged"


def test_nothing_runs_where_the_code_does_not_fit() -> None:
    """A run that blocks starts no step of the changed code, not even one before the difference."""
    ran: list[str] = []

    def seen() -> None:
        ran.append("seen")

    async def changed(run: Run, input: Any) -> Any:
        await run.all(run.step(seen), run.step(b))

    world = World(code(original))
    world.start("r")
    world.restart(code(changed))
    world.decide()

    assert (ran, world.held) == ([], [])
    assert world.story()[-1] == "RunBlocked recipe.diverged"
