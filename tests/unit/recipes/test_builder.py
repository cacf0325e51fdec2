from typing import Any

import pytest
from pydantic import BaseModel

from hitl_events import Recipe, Retry, Run, hitl, recipe
from hitl_events.errors import RecipeError
from tests.unit.recipes.graphs import fetch, graph, improve, nothing, send
from tests.unit.world import World


def test_a_graph_runs_in_the_order_of_its_edges() -> None:
    """Each node begins when those it waits for are done, and gets the artefact so far."""
    world = World(graph())
    paused = world.start("r", "x")

    assert paused.artefact["steps"] == {"fetch": {"doc": "x"}, "answer": "answer on x"}
    assert paused.artefact["gates"]["g"]["draft"] == paused.artefact["steps"]
    assert world.decide().artefact["result"] == "sent"
    assert world.story()[-3:] == ["StepStarted send", "StepCompleted send", "RunCompleted"]
    world.replayed()


def test_what_does_not_wait_runs_at_the_same_time() -> None:
    """Nodes that need nothing of each other are started together."""
    wide = Recipe("r", version="1").step("a", nothing).step("b", nothing).step("c", send, after="a")
    world = World(wide)
    world.ask(world.starting("r"))

    assert [start.request.key[1] for start in world.held] == ["a", "b"]
    world.finish("a")
    assert [start.request.key[1] for start in world.held] == ["b", "c"]


def test_the_result_is_the_last_output_or_an_object_of_several() -> None:
    """One node at the end gives the result, several give an object of them."""
    one = Recipe("one", version="1").step("a", nothing).step("b", send, after="a")
    two = Recipe("two", version="1").step("a", nothing).step("b", send, after="a").step("c", fetch)
    world = World(one, two)

    assert world.start("one", 1, run_id="1").artefact["result"] == "sent"
    assert world.start("two", 1, run_id="2").artefact["result"] == {"b": "sent", "c": {"doc": 1}}


def test_a_gate_that_does_not_proceed_skips_what_depends_on_it() -> None:
    """After deny the nodes behind the gate are skipped; the run ends ok with the gate's status."""
    world = World(graph())
    world.start("r", "x")
    outcome = world.decide("deny")

    assert (outcome.status, outcome.artefact["result"]) == ("ok", {"gate": "g", "status": "denied"})
    assert "send" not in outcome.artefact["steps"]


def test_what_stands_beside_a_closed_gate_goes_on() -> None:
    """Only what depends on the gate is skipped, with all that depends on that."""
    wide = graph().step("after send", nothing, after="send").step("beside", send, after="answer")
    world = World(wide)
    world.start("r", "x")

    outcome = world.decide("deny")

    assert outcome.artefact["result"] == {"beside": "sent"}
    assert set(outcome.artefact["steps"]) == {"fetch", "answer", "beside"}


def test_a_gate_may_proceed_with_other_verdicts() -> None:
    """`proceed` names the verdicts that let the rest run, that of the schedule included."""
    gate: dict[str, Any] = {
        "verdicts": ("yes", "maybe", "no"),
        "proceed": ("yes", "maybe", "timeout"),
        "expires_in": 10,
        "on_expiry": "timeout",
    }
    world = World(graph(**gate))
    for verdict, status in (("yes", "sent"), ("maybe", "sent"), ("no", None)):
        world.start("r", "x", run_id=verdict)
        result = world.decide(verdict, run_id=verdict).artefact["result"]
        assert result == (status or {"gate": "g", "status": "decided"})
    world.start("r", "x")
    world.wait(11)

    assert world.settle().artefact["result"] == "sent"


@pytest.mark.parametrize("revise", ["answer", improve])
def test_a_gate_may_ask_for_changes(revise: Any) -> None:
    """On request_changes the revising step runs and the gate opens again, as often as asked."""

    def draft(so_far: dict[str, Any]) -> Any:
        return so_far["steps"]

    world = World(graph(revise=revise, draft=draft))
    world.start("r", "x")
    name = revise if isinstance(revise, str) else "improve"
    for _ in range(2):
        outcome = world.decide("request_changes", notes="more")
        assert outcome.status == "paused"
    outcome = world.decide()

    steps = [line for line in world.story() if line.startswith(f"StepCompleted {name}")]
    assert len(steps) == (3 if isinstance(revise, str) else 2)
    gates = {key: held["status"] for key, held in outcome.artefact["gates"].items()}
    assert gates == {"g#1": "decided", "g#2": "decided", "g": "approved"}
    assert outcome.artefact["result"] == "sent"
    world.replayed()


def test_the_revising_step_sees_the_notes() -> None:
    """The artefact so far holds the decision that asks for the change."""
    seen: list[Any] = []

    def redo(so_far: dict[str, Any]) -> Any:
        seen.append(so_far["gates"]["g"]["decision"]["notes"])

    world = World(graph(revise=redo))
    world.start("r", "x")
    world.decide("request_changes", notes="shorter")

    assert seen == ["shorter"]


def test_what_comes_after_sees_the_decision() -> None:
    """A node behind a gate finds its verdict, notes and data in the artefact."""
    seen: list[Any] = []

    class Data(BaseModel):
        amount: int

    def last(so_far: dict[str, Any]) -> None:
        seen.append(so_far["gates"]["g"]["decision"])

    part = Recipe("r", version="1").use(hitl("g", data=Data)).step("last", last, after="g")
    world = World(part)
    world.start("r")
    world.decide(data={"amount": 5}, decided_by="ann")

    assert [(one["verdict"], one["data"], one["decided_by"]) for one in seen] == [
        ("approve", {"amount": 5}, "ann")
    ]


def test_priority_breaks_ties() -> None:
    """Of nodes that can start the larger priority is first, then the one written first."""
    wide = (
        Recipe("r", version="1")
        .step("a", nothing)
        .step("b", nothing, priority=5)
        .step("c", nothing, priority=5)
        .step("d", nothing, priority=-1)
        .step("e", nothing, after="d", priority=9)
    )
    world = World(wide)
    world.ask(world.starting("r"))

    assert [start.request.key[1] for start in world.held] == ["b", "c", "a", "d"]
    assert [node.name for node in wide.plan().nodes] == ["b", "c", "a", "d", "e"]


def test_equal_names_need_an_override() -> None:
    """A name that is taken is an error; with override=True the new node takes its place."""
    first = Recipe("r", version="1").step("a", nothing).step("b", send, after="a")

    with pytest.raises(RecipeError, match="'a' again"):
        first.step("a", fetch)
    replaced = first.step("a", fetch, override=True)

    assert World(replaced).start("r", 1).artefact["steps"]["a"] == {"doc": 1}


@pytest.mark.parametrize(
    ("edges", "said"),
    [
        ({"a": "b", "b": "a"}, "cycles"),
        ({"a": "a"}, "cycles"),
        ({"a": ("b",), "b": ("c",), "c": ("a",)}, "cycles"),
        ({"a": "nobody"}, "nobody"),
    ],
)
def test_a_graph_that_can_not_run_is_refused_when_it_is_built(
    edges: dict[str, Any], said: str
) -> None:
    """Cycles and unknown names fail in build(), before anything runs."""
    broken = Recipe("r", version="1")
    for name, after in edges.items():
        broken.step(name, nothing, after=after)

    with pytest.raises(RecipeError, match=said):
        broken.build()


def test_an_empty_recipe_is_refused() -> None:
    """A builder without a node can not be built."""
    with pytest.raises(RecipeError, match="found none"):
        Recipe("r", version="1").build()


@pytest.mark.parametrize("revise", ["nobody", "g"])
def test_revise_names_a_step(revise: str) -> None:
    """What revises is a step of the recipe, or a function; anything else fails in build()."""
    with pytest.raises(RecipeError, match="revise"):
        graph(revise=revise).build()


def test_revise_on_a_function_recipe_is_a_function() -> None:
    """A function has no nodes that a gate behind it could name."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return 1

    with pytest.raises(RecipeError, match="revise"):
        body.use(hitl("g", revise="body")).build()


def test_a_built_recipe_is_fixed() -> None:
    """What a runtime has taken can not be changed any more."""
    built = graph().build()

    with pytest.raises(RecipeError, match="built"):
        built.step("more", nothing)
    with pytest.raises(RecipeError, match="built"):
        built.use(hitl("h"))
    with pytest.raises(RecipeError, match="built"):
        built.configure(timeout_s=1)


@pytest.mark.parametrize(
    "options",
    [{"once": True, "nonsense": 1}, {"kind": "x"}, {"timeout": 5}],
)
def test_unknown_step_options_are_refused(options: dict[str, Any]) -> None:
    """A misspelt option is an error, never ignored."""
    with pytest.raises(RecipeError, match="step options"):
        Recipe("r", version="1").step("a", nothing, **options)


def test_step_options_hold_in_a_graph() -> None:
    """A node's retry is that of its step."""
    calls: list[int] = []

    def flaky(so_far: dict[str, Any]) -> None:
        calls.append(1)
        if len(calls) < 2:
            raise OSError("not yet")

    retry = Retry(attempts=2, initial_s=1)
    world = World(Recipe("r", version="1").step("a", flaky, retry=retry))
    world.start("r")
    world.wait(1)

    assert world.settle().status == "ok"


def test_a_failed_node_fails_the_run() -> None:
    """Gates that stand open beside it are withdrawn, what waits for it never begins."""

    def broken(so_far: dict[str, Any]) -> None:
        raise ValueError("no")

    wide = Recipe("r", version="1").step("a", broken).use(hitl("g")).step("b", send, after="a")
    world = World(wide)
    outcome = world.start("r")

    assert [one.code for one in outcome.diagnostics] == ["step.failed"]
    assert world.story()[-2:] == ["GateClosed g withdrawn", "RunFailed step.failed"]
