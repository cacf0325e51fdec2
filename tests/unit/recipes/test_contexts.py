"""Context variables of a recipe are its run's own, and those of a branch the branch's."""

from contextvars import ContextVar
from decimal import Decimal, localcontext
from typing import Any

from hitl_events import Run, recipe
from tests.unit.world import World

WHO: ContextVar[str] = ContextVar("who", default="nobody")


def echo(value: Any = None) -> Any:
    return value


@recipe("r", version="1")
async def remembers(run: Run, me: str) -> str:
    before = WHO.get()
    WHO.set(me)
    await run.gate("g")
    return f"{before}, {WHO.get()}"


def test_a_run_does_not_see_what_another_one_sets() -> None:
    """What a run has set is there after its pause, live as on replay, and nowhere else."""
    world = World(remembers)
    for run_id in ("a", "b"):
        world.start("r", run_id, run_id)
    for run_id in ("a", "b"):
        world.decide(token=world.token(run_id=run_id), run_id=run_id)

    results = [world.outcome(run_id).artefact["result"] for run_id in ("a", "b")]
    assert results == ["nobody, a", "nobody, b"]
    world.replayed("a")
    assert WHO.get() == "nobody"


def test_a_precision_holds_for_its_run_alone() -> None:
    """A `localcontext` that is open while its run waits changes no other run's arithmetic."""

    @recipe("exact", version="1")
    async def exact(run: Run, input: Any) -> Any:
        with localcontext() as context:
            context.prec = 3
            await run.gate("g")
            return str(Decimal(1) / 3)

    @recipe("plain", version="1")
    async def plain(run: Run, input: Any) -> Any:
        return str(Decimal(1) / 3)

    wanted = str(Decimal(1) / 3)
    world = World(exact, plain)
    world.start("exact", run_id="a")

    assert world.start("plain", run_id="b").artefact["result"] == wanted
    world.decide(token=world.token(run_id="a"), run_id="a")
    assert world.outcome("a").artefact["result"] == "0.333"


def test_a_branch_begins_with_what_is_set_and_keeps_its_own() -> None:
    """Branches are to each other as tasks are: none sees what another one has set."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        async def branch(name: str) -> str:
            before = WHO.get()
            WHO.set(name)
            await run.step(echo)
            return f"{before}, {WHO.get()}"

        WHO.set("all")
        return [*await run.all(branch("a"), branch("b")), WHO.get()]

    assert World(body).start("r").artefact["result"] == ["all, a", "all, b", "all"]


def test_a_variable_can_be_reset_where_a_run_is_cancelled() -> None:
    """A `finally` that resets a variable finds the context in which it was set."""
    seen: list[str] = []

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        token = WHO.set("me")
        try:
            await run.gate("g")
        finally:
            WHO.reset(token)
            seen.append(WHO.get())

    world = World(body)
    world.start("r")
    world.cancel()

    assert seen == ["nobody"]
