import asyncio
import gc
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel, Field

from hitl_events import Run, recipe
from hitl_events.adapters.avro import AvroCodec
from hitl_events.domain.events import RunBlocked
from hitl_events.domain.requests import EVENTS_PER_RUN_MAX
from hitl_events.engine.inputs import Wake
from hitl_events.recipes.recipe import Recipe
from hitl_events.runtime.watchdog import Watchdog
from tests.unit.world import RUN, World


def echo(value: Any = None) -> Any:
    return value


@recipe("good", version="1")
async def good(run: Run, input: Any) -> Any:
    return await run.step(echo, "fine")


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    watch = Watchdog(limit_s=0.2)
    yield watch
    watch.close()


def _beside(bad: Recipe, **given: Any) -> World:
    """The bad recipe's run between two good ones in one batch; the good ones go on."""
    world = World(bad, good, **given)
    starts = [
        world.starting("good", run_id="before"),
        world.starting("bad"),
        world.starting("good", run_id="after"),
    ]
    world.put(*(world.submission(start) for start in starts))
    world.settle()
    assert [world.outcome(name).status for name in ("before", "after")] == ["ok", "ok"]
    return world


def _blocked(world: World) -> RunBlocked:
    blocked = world.events()[-1]
    assert isinstance(blocked, RunBlocked)
    return blocked


def test_a_recipe_that_spins_is_blocked(watchdog: Watchdog) -> None:
    """`while True: pass` is stopped and its run blocked with recipe.stuck; the others go on."""

    @recipe("bad", version="1")
    async def bad(run: Run, input: Any) -> Any:
        while True:
            pass

    assert _blocked(_beside(bad, watch=watchdog)).code == "recipe.stuck"


def test_a_recipe_that_swallows_the_stop_is_blocked(watchdog: Watchdog) -> None:
    """`except Exception` does not catch the stop, and a bare `except` can not hold it for ever."""

    @recipe("bad", version="1")
    async def bad(run: Run, input: Any) -> Any:
        caught = 0
        while True:
            try:
                echo(caught)
            except Exception:  # noqa: BLE001 - what careless recipes do
                continue
            except BaseException:
                caught += 1
                if caught > 2:
                    raise

    assert _blocked(_beside(bad, watch=watchdog)).code == "recipe.stuck"


def test_a_recipe_that_spins_when_it_is_closed_is_stopped(watchdog: Watchdog) -> None:
    """Code in a `finally` that computes without end holds nobody up either."""

    @recipe("bad", version="1")
    async def bad(run: Run, input: Any) -> Any:
        try:
            await run.gate("g")
        finally:
            while input is None:
                pass

    world = _beside(bad, watch=watchdog)
    world.cancel()

    assert world.story()[-1] == "RunCancelled"


def test_a_recipe_that_takes_its_time_is_not_stopped(watchdog: Watchdog) -> None:
    """The bound is on one advance, not on the whole of a run."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        for _ in range(30):
            sum(range(100_000))
            await run.step(echo)
        return "done"

    assert World(body, watch=watchdog).start("r").artefact["result"] == "done"


def test_awaits_without_end_are_blocked() -> None:
    """A recipe may await ten thousand times; then its run is blocked, not the engine."""
    asked: list[int] = []

    @recipe("bad", version="1")
    async def bad(run: Run, input: Any) -> Any:
        while True:
            asked.append(1)
            await run.all()

    assert _blocked(_beside(bad)).code == "recipe.stuck"
    assert len(asked) <= EVENTS_PER_RUN_MAX + 1


@pytest.mark.slow
def test_events_without_end_are_blocked() -> None:
    """A run has at most ten thousand events."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        while True:
            await run.all(*(run.step(echo) for _ in range(999)))

    world = World(body)
    world.start("r")

    assert _blocked(world).code == "recipe.stuck"
    assert len(world.events()) <= EVENTS_PER_RUN_MAX + 1_000


SLEEPS = [partial(asyncio.sleep, seconds) for seconds in (0, 60)]
"""One yields None, the other a future of its loop; none of them gets so far."""


class Foreign:
    """An awaitable like those of HTTP clients: it yields a future of its own."""

    def __await__(self) -> Any:
        yield self


async def _future() -> None:
    await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("make", [*SLEEPS, _future, Foreign])
def test_a_foreign_await_is_caught_at_once(make: Any) -> None:
    """A recipe that awaits anything else than its run's is told that I/O belongs in a step."""

    @recipe("bad", version="1")
    async def bad(run: Run, input: Any) -> Any:
        await make()

    async def main() -> World:
        world = World(bad, good)
        world.ask(world.starting("bad"))
        return world

    blocked = _blocked(asyncio.run(main()))

    assert blocked.code == "recipe.foreign_await"
    assert "I/O belongs in a step" in blocked.message


def test_a_foreign_await_in_a_branch_is_caught_too() -> None:
    """What stands beside a step in `run.all` is held to the same rule."""

    @recipe("bad", version="1")
    async def bad(run: Run, input: Any) -> Any:
        await run.all(run.step(echo), Foreign())

    world = _beside(bad)

    assert _blocked(world).code == "recipe.foreign_await"
    assert world.story() == ["RunStarted", "RunBlocked recipe.foreign_await"]


@pytest.mark.parametrize("what", ["step", "gate", "beside"])
def test_a_call_is_awaited_once(what: str) -> None:
    """Awaiting the same step or gate twice is an error in the recipe, told as such."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        if what == "beside":
            call = run.step(echo)
            await run.all(call, call)
        one: Any = run.step(echo) if what == "step" else run.gate("g")
        await one
        await one

    world = World(body)
    world.start("r")
    if what == "gate":
        world.decide()

    (said,) = world.outcome().diagnostics
    assert said.code == "recipe.failed"
    assert "once" in said.message


@pytest.mark.parametrize("does", ["awaits", "raises", "returns", "exits"])
def test_what_a_finally_asks_for_on_close_is_ignored(does: str) -> None:
    """A recipe that is closed may ask, raise or return in its `finally`: nothing comes of it."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        try:
            await run.gate("g")
        finally:
            if does == "awaits":
                await run.step(echo)
            elif does == "raises":
                raise ValueError("on close")
            elif does == "exits":
                raise SystemExit(1)
            else:
                return "x"

    world = World(body)
    world.start("r")
    world.cancel()
    gc.collect()

    assert world.story() == ["RunStarted", "GatePaused g", "CancelRequested", "RunCancelled"]


def test_a_branch_that_never_began_is_no_warning() -> None:
    """Branches that a block or a failure keeps from beginning are closed without a warning."""
    began: list[int] = []

    @recipe("bad", version="1")
    async def bad(run: Run, input: Any) -> Any:
        async def later() -> None:
            began.append(1)

        await run.all(Foreign(), later())

    world = _beside(bad)
    gc.collect()

    assert began == []
    assert _blocked(world).code == "recipe.foreign_await"


EVENT_BYTES_MAX = 900 * 1024


class Wide(BaseModel):
    """Data with a schema of 400 KB."""

    text: str = Field(default="", description="-" * 400_000)


@pytest.mark.parametrize(("draft_bytes", "status"), [(100, "paused"), (880 * 1024 - 2, "error")])
def test_a_gate_fits_into_one_event_with_its_schema(draft_bytes: int, status: str) -> None:
    """A schema that takes more than its share leaves less for the draft: the run ends, visibly."""

    @recipe("bad", version="1")
    async def bad(run: Run, input: Any) -> Any:
        await run.gate("g", draft="x" * draft_bytes, data=Wide)

    world = _beside(bad)

    assert world.outcome().status == status
    assert all(len(AvroCodec().encode(event)) <= EVENT_BYTES_MAX for event in world.events())
    if status == "error":
        assert world.outcome().diagnostics[0].code == "output.too_large"


def test_verdicts_are_bounded() -> None:
    """A hundred verdicts are offered; more would be data."""

    @recipe("bad", version="1")
    async def bad(run: Run, input: Any) -> Any:
        await run.gate("g", verdicts=tuple(map(str, range(input))))

    for count, status in ((100, "paused"), (101, "error")):
        assert World(bad).start("bad", count).status == status


def test_what_a_divergence_names_is_bounded() -> None:
    """Of a thousand steps that the code waits for the block names a hundred."""

    @recipe("bad", version="1")
    async def before(run: Run, input: Any) -> Any:
        await run.gate("g")

    @recipe("bad", version="1")
    async def now(run: Run, input: Any) -> Any:
        await run.all(*(run.step(echo, name="n" * 200) for _ in range(1000)))

    world = World(before)
    world.start("bad")
    world.restart(now)
    world.put(Wake(run_id=RUN))

    blocked = _blocked(world)
    assert (blocked.expected or "").endswith(" or one of 900 more")
    assert len(AvroCodec().encode(blocked)) <= EVENT_BYTES_MAX
