"""Async generators and context managers of a recipe end with it, and nobody else awaits them."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from hitl_events import Run, recipe
from hitl_events.testing import given
from tests.unit.turns import loop_has_come_round
from tests.unit.world import World


def echo(value: Any = None) -> Any:
    return value


@asynccontextmanager
async def lent(run: Run) -> AsyncGenerator[str]:
    yield await run.step(echo, "a key", name="lend")
    await run.step(echo, name="give-back")


async def rounds(run: Run, ended: list[str]) -> AsyncGenerator[str]:
    try:
        while True:
            yield (await run.gate("round")).verdict
    finally:
        ended.append("rounds")
        await run.step(echo, name="end")


@recipe("lends", version="1")
async def lends(run: Run, input: Any) -> Any:
    async with lent(run) as key:
        await run.gate("g", draft=key)


@recipe("repeats", version="1")
async def repeats(run: Run, input: Any) -> Any:
    async for verdict in rounds(run, []):
        if verdict == "deny":
            break


async def test_a_run_that_is_put_aside_leaves_nothing_to_the_loop() -> None:
    """A recipe that waits inside of async generators can be forgotten, and its loop ends."""
    loop, said = asyncio.get_running_loop(), list[str]()
    loop.set_exception_handler(lambda _, context: said.append(context["message"]))
    given(lends).started().completed("lend", "a key").paused("g")
    given(repeats).started().decided("approve").paused("round")

    gc.collect()
    await loop_has_come_round()
    gc.collect()  # a task that ended a generator would be complained of now
    await loop.shutdown_asyncgens()

    assert said == []


async def test_a_generator_that_is_left_ends_at_once_and_asks_for_nothing() -> None:
    """After a `break` its `finally` runs up to what it would await, live as on replay."""
    seen: list[list[str]] = []

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        ended: list[str] = []
        seen.append(ended)
        async for _ in rounds(run, ended):
            break
        ended.append("after")
        await run.gate("last")

    world = World(body)
    world.start("r")
    world.decide(gate="round")
    world.replayed().close()
    await loop_has_come_round()

    assert seen == [["rounds", "after"]] * 2
    assert world.decide(gate="last").status == "ok"
