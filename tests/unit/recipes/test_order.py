from typing import Any

from hitl_events import Run, recipe
from tests.unit.world import World


def a() -> str:
    return "a"


def b() -> str:
    return "b"


def c() -> str:
    return "c"


def echo(value: Any) -> Any:
    return value


def test_results_stand_by_position() -> None:
    """`run.all` gives its results in the order of its arguments, however they came in."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return await run.all(run.step(a), run.step(b), run.step(c))

    world = World(body)
    world.ask(world.starting("r"))
    world.finish("c", "a", "b")

    assert world.story()[1:4] == ["StepCompleted c", "StepCompleted a", "StepCompleted b"]
    assert world.outcome().artefact["result"] == ["a", "b", "c"]


def test_branches_advance_in_position_order() -> None:
    """What can go on at the same time goes on in the order of its position."""
    seen: list[str] = []

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        async def branch(name: str) -> None:
            seen.append(name)
            await run.step(a)

        async def outer() -> None:
            await run.all(branch("1.0"), branch("1.1"))

        await run.all(branch("0"), outer(), branch("2"))

    World(body).start("r")

    assert seen == ["0", "1.0", "1.1", "2"]


def test_results_go_in_in_the_order_of_their_events() -> None:
    """One event at a time, in seq order, each branch as far as it can: the same on replay."""
    seen: list[tuple[str, str]] = []

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        async def branch(name: str, first: Any) -> None:
            seen.append((name, await run.step(first)))
            seen.append((name, await run.step(echo, name)))

        await run.all(branch("x", a), branch("y", b))
        await run.gate("g")

    world = World(body)
    world.ask(world.starting("r"))
    world.finish("b")
    world.put(*world.run_steps())
    world.settle()
    live = list(seen)
    seen.clear()
    world.replayed()

    assert live == seen
    assert live[0] == ("y", "b")
    assert sorted(live) == [("x", "a"), ("x", "x"), ("y", "b"), ("y", "y")]


def test_two_results_in_one_batch_go_in_one_by_one() -> None:
    """A recipe can not tell whether two results came in one commit or in two."""

    def made(batches: bool) -> World:
        @recipe("r", version="1")
        async def body(run: Run, input: Any) -> Any:
            async def branch(first: Any) -> Any:
                found = await run.step(first)
                return [found, run.random(), await run.step(echo, found)]

            return await run.all(branch(a), branch(b))

        world = World(body)
        world.ask(world.starting("r"))
        if batches:
            world.put(*world.run_steps("a", "b"))
        else:
            world.finish("a", "b")
        world.settle()
        return world

    assert made(batches=True).outcome().artefact == made(batches=False).outcome().artefact


def test_the_occurrence_is_counted_at_the_call() -> None:
    """Of two calls of one name the first made is the first, in whatever order they are awaited."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        first, second = run.step(echo, 1), run.step(echo, 2)
        return [await second, await first]

    world = World(body)
    outcome = world.start("r")

    assert world.story()[1:3] == ["StepCompleted echo 2", "StepCompleted echo"]
    assert outcome.artefact["steps"] == {"echo": 2, "echo#1": 1}
    assert outcome.artefact["result"] == [2, 1]


def test_steps_and_gates_count_apart() -> None:
    """A step and a gate may have the same name, each with occurrences of its own."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(echo, 1, name="x")
        await run.gate("x")
        await run.step(echo, 2, name="x")
        await run.gate("x")

    world = World(body)
    world.start("r")
    world.decide()
    world.decide("deny")

    gates = {name: held["status"] for name, held in world.outcome().artefact["gates"].items()}
    assert world.outcome().artefact["steps"] == {"x#1": 1, "x": 2}
    assert gates == {"x#1": "approved", "x": "denied"}


def test_a_name_that_looks_like_an_earlier_use_hides_nothing() -> None:
    """Where `x#1` is a name of its own, the first use of `x` stands beside it, with its token."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        for value, name in enumerate(("x", "x", "x#1")):
            await run.step(echo, value, name=name)
        await run.all(*(run.gate(name, draft=name) for name in ("x#1", "x", "x")))

    world = World(body)
    outcome = world.start("r")

    assert outcome.artefact["steps"] == {"x##1": 0, "x": 1, "x#1": 2}
    assert list(outcome.tokens) == ["x#1", "x##1", "x"]
    assert {name: gate["draft"] for name, gate in outcome.artefact["gates"].items()} == {
        "x#1": "x#1",
        "x##1": "x",
        "x": "x",
    }


def test_all_of_nothing_is_nothing() -> None:
    """`run.all()` gives an empty result at once."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return [await run.all(), await run.all(run.all())]

    assert World(body).start("r").artefact["result"] == [[], [[]]]


def test_all_may_be_nested() -> None:
    """Steps, gates, `async def` branches and further `all`s may stand beside each other."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        async def branch() -> str:
            return str(await run.step(a)) + str(await run.step(b))

        async def plain() -> int:
            return 7

        gate = run.gate("g")
        found = await run.all(branch(), run.all(run.step(c), gate), plain())
        return [found[0], found[1][0], found[1][1].verdict, found[2]]

    world = World(body)
    world.start("r")

    assert world.decide().artefact["result"] == ["ab", "c", "approve", 7]
    world.replayed()


def test_gates_may_be_open_together() -> None:
    """Several gates wait at the same time, each with its token, and close in any order."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        made = await run.all(run.gate("g"), run.gate("h"))
        return [one.verdict for one in made]

    world = World(body)

    assert list(world.start("r").tokens) == ["g", "h"]
    assert world.decide("deny", "h").status == "paused"
    assert world.decide("approve", "g").artefact["result"] == ["approve", "deny"]


def test_a_helper_may_await_steps() -> None:
    """A coroutine that the recipe awaits itself is part of it."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        async def helper(value: Any) -> Any:
            return await run.step(echo, value)

        return [await helper(1), await helper(2)]

    assert World(body).start("r").artefact["result"] == [1, 2]
