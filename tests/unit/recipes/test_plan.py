from typing import Any

import pytest

from hitl_events import Recipe, Run, hitl, recipe
from hitl_events.errors import HitlError
from hitl_events.recipes.plan import plan_of_events
from tests.unit.world import World


def step(so_far: Any = None) -> Any:
    return None


GRAPH = (
    Recipe("refund", version="2")
    .step("check", step)
    .use(hitl('big "one"', proceed=("approve", "deny")), after="check")
    .step("pay", step, after=('big "one"', "check"), once=True, undo=step)
)

TEXT = """\
refund (version 2)
  step  check
  gate  big "one"  [after check; goes on with approve, deny]
  step  pay  [after big "one", check; once; undo]"""

MERMAID = """\
flowchart TD
    n0["check"]
    n1{"big #quot;one#quot;"}
    n2["pay"]
    n0 --> n1
    n1 --> n2
    n0 --> n2"""


def test_a_plan_in_words() -> None:
    """One line per node, with what it waits for and what is special about it."""
    assert GRAPH.plan().to_text() == TEXT


def test_a_plan_as_a_picture() -> None:
    """A Mermaid flowchart with gates as rhombs; names are quoted."""
    assert GRAPH.plan().to_mermaid() == MERMAID


def test_a_plan_as_json() -> None:
    """Nodes with name, kind, after, once, undo and proceed."""
    shown = GRAPH.plan().to_json()

    assert (shown["name"], shown["version"]) == ("refund", "2")
    assert shown["nodes"][2] == {
        "name": "pay",
        "kind": "step",
        "after": ['big "one"', "check"],
        "once": True,
        "undo": True,
        "proceed": [],
    }


def test_a_plan_is_pure_data() -> None:
    """Planning builds nothing and fixes nothing: the recipe can still be changed."""
    graph = Recipe("r", version="1").step("a", step)
    graph.plan()

    assert [node.name for node in graph.step("b", step).plan().nodes] == ["a", "b"]


def test_the_plan_of_a_function_is_its_name() -> None:
    """A function's steps are known only from a run."""

    @recipe("f", version="1")
    async def body(run: Run, input: Any) -> Any: ...

    plan = body.plan()
    assert (plan.name, plan.version, plan.nodes) == ("f", "1", ())
    assert "once a run has made them" in plan.to_text()


def test_the_plan_of_a_run_is_what_was_recorded() -> None:
    """Steps and gates of a run in the order of their record, each named once per occurrence."""

    @recipe("f", version="1")
    async def body(run: Run, input: Any) -> Any:
        for _ in range(2):
            await run.step(step)
        await run.gate("g")

    world = World(body)
    world.start("f")
    plan = plan_of_events(world.events())

    assert [(node.kind, node.name, node.after) for node in plan.nodes] == [
        ("step", "step", ()),
        ("step", "step (2)", ("step",)),
        ("gate", "g", ("step (2)",)),
    ]
    with pytest.raises(HitlError, match="events"):
        plan_of_events([])
