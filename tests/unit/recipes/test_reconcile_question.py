"""What a reconcile gate shows to whoever has to say whether a step happened."""

from typing import Any

from hitl_events import Run, recipe
from hitl_events.domain.canonical import DEPTH_MAX
from tests.unit.world import RUN, World


def test_large_arguments_are_not_shown() -> None:
    """The question stays small: arguments beyond 64 KiB are left out of it."""

    def store(text: str) -> None: ...

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(store, "x" * 100_000, once=True)

    world = World(body)
    world.ask(world.starting("r"))
    world.restart()

    draft = world.outcome().artefact["gates"]["reconcile:store"]["draft"]
    assert "arguments" not in draft
    assert len(world.log[RUN][-1]) < 2_000


def test_the_deepest_arguments_are_no_obstacle() -> None:
    """Arguments nested as deep as a value may be do not fit the question: it is asked without."""

    def store(value: Any) -> None: ...

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(store, input, once=True)

    deep: Any = 1
    for _ in range(DEPTH_MAX - 2):  # {"args": [...]} stands around it
        deep = [deep]
    world = World(body)
    world.ask(world.starting("r", deep))
    world.restart()

    assert world.story()[-1] == "GatePaused reconcile:store"
    assert "arguments" not in world.outcome().artefact["gates"]["reconcile:store"]["draft"]
    assert world.decide("did_not_happen").status == "ok"
