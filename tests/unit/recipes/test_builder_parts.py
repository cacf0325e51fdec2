"""Builders: what may stand in a graph, and what is refused when it is built."""

from typing import Any

import pytest
from pydantic import BaseModel

from hitl_events import Recipe, Run, hitl, recipe
from hitl_events.errors import RecipeError
from tests.unit.recipes.graphs import fetch, graph, improve, nothing, send
from tests.unit.world import World


def test_a_graph_may_be_part_of_a_graph() -> None:
    """`use(graph)` takes its nodes over; those that wait for nothing wait for `after`."""
    part = Recipe("part", version="1").step("x", send).step("y", nothing, after="x")
    whole = (
        Recipe("r", version="1").step("a", nothing).use(part, after="a").step("b", send, after="y")
    )

    after = {node.name: node.after for node in whole.plan().nodes}

    assert after == {"a": (), "x": ("a",), "y": ("x",), "b": ("y",)}
    assert World(whole).start("r").status == "ok"
    with pytest.raises(RecipeError, match="again"):
        Recipe("q", version="1").step("x", nothing).use(part)


def test_a_function_recipe_may_be_a_node() -> None:
    """It gets the artefact so far, and its steps and gates are those of the run."""

    @recipe("inner", version="1")
    async def inner(run: Run, input: Any) -> Any:
        made = await run.gate("inside", draft=input["steps"])
        return {"inner": made.verdict}

    whole = (
        Recipe("r", version="1")
        .step("a", send)
        .use(inner, after="a")
        .step("b", send, after="inner")
    )
    world = World(whole)
    paused = world.start("r")

    assert paused.artefact["gates"]["inside"]["draft"] == {"a": "sent"}
    assert world.decide("deny").artefact["result"] == "sent"
    assert [node.kind for node in whole.plan().nodes] == ["step", "recipe", "step"]


def test_what_a_recipe_gives_stands_under_its_name() -> None:
    """Steps and gates after a recipe that is a node get its result in the artefact so far."""

    @recipe("inner", version="1")
    async def inner(run: Run, input: Any) -> Any:
        return {"text": await run.step(answered, input["input"])}

    def shout(artefact: dict[str, Any]) -> str:
        text: str = artefact["steps"]["inner"]["text"]
        return text.upper()

    whole = (
        Recipe("r", version="1")
        .use(inner)
        .use(hitl("g"), after="inner")
        .step("shout", shout, after="g")
    )
    world = World(whole)
    paused = world.start("r", "x")

    assert paused.artefact["gates"]["g"]["draft"] == {"inner": {"text": "x!"}}
    assert world.decide().artefact["result"] == "X!"


def test_a_gate_may_follow_a_function_recipe() -> None:
    """`.use(gate)` opens it after the result, which is its draft, and gives it back if approved."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return {"text": await run.step(answered, input)}

    world = World(body.use(hitl("g")))
    for verdict, result in (
        ("approve", {"text": "x!"}),
        ("deny", {"gate": "g", "status": "denied"}),
    ):
        paused = world.start("r", "x", run_id=verdict)
        assert paused.artefact["gates"]["g"]["draft"] == {"text": "x!"}
        assert world.decide(verdict, run_id=verdict).artefact["result"] == result


def answered(text: str) -> str:
    return text + "!"


def test_a_gate_behind_a_function_may_ask_for_changes() -> None:
    """What the revising step gives is the next draft, and in the end the result."""

    def redo(so_far: dict[str, Any]) -> Any:
        return {"redone": so_far["gates"]["g"]["decision"]["notes"]}

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return "first"

    world = World(body.use(hitl("g", revise=redo)))
    world.start("r")
    paused = world.decide("request_changes", notes="n")

    assert paused.artefact["gates"]["g"]["draft"] == {"redone": "n"}
    assert world.decide().artefact["result"] == {"redone": "n"}


def test_a_recipe_may_follow_a_function_recipe() -> None:
    """`.use(recipe)` goes on with it; its input is the result so far."""

    @recipe("r", version="1")
    async def first(run: Run, input: Any) -> Any:
        return [input]

    @recipe("then", version="1")
    async def then(run: Run, input: Any) -> Any:
        return [*input, await run.step(answered, "second")]

    assert World(first.use(then)).start("r", "first").artefact["result"] == ["first", "second!"]


def test_a_recipe_may_be_called_inside_another() -> None:
    """`await other(run, value)` runs its body as part of the run."""

    @recipe("inner", version="1")
    async def inner(run: Run, input: Any) -> Any:
        return await run.step(answered, input)

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return await run.all(inner(run, "a"), inner(run, "b"))

    assert World(body).start("r").artefact["result"] == ["a!", "b!"]


def test_a_builder_may_have_a_typed_input() -> None:
    """`configure(input=...)` refuses what does not fit before a run begins."""

    class Order(BaseModel):
        amount: int = 1

    typed = Recipe("r", version="1").configure(input=Order).step("a", fetch)
    world = World(typed)

    assert world.ask(world.starting("r", {"amount": "x"})).reason == "invalid_command"
    assert world.start("r", {}).artefact["result"] == {"doc": {"amount": 1}}


def test_the_fingerprint_covers_every_part() -> None:
    """A mended draft, revising step or part changes the fingerprint: a run is tried again."""

    def draft(so_far: dict[str, Any]) -> Any:
        return 1

    def other(so_far: dict[str, Any]) -> Any:
        return 2

    @recipe("f", version="1")
    async def function(run: Run, input: Any) -> Any:
        return input

    prints = [
        graph().code_fingerprint,
        graph(draft=draft).code_fingerprint,
        graph(draft=other).code_fingerprint,
        graph(revise=improve).code_fingerprint,
        graph(revise=nothing).code_fingerprint,
        graph().use(function).code_fingerprint,
        function.code_fingerprint,
        function.use(hitl("g", draft=draft)).code_fingerprint,
    ]

    assert len(set(prints)) == len(prints)
    assert graph(draft=draft).code_fingerprint == prints[1]
