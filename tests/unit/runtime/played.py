"""Recipes that the runtime plays, and how far they are."""

import asyncio
from typing import Any

from hitl_events import Recipe, Run, Runtime, recipe
from hitl_events.domain.values import RunId
from tests.unit.world import story


def echo(value: Any = None) -> Any:
    return value


async def aecho(value: Any = None) -> Any:
    return value


@recipe("r", version="1")
async def gated(run: Run, input: Any) -> Any:
    drafted = await run.step(aecho, input, name="draft")
    made = await run.gate("g", draft=drafted)
    return [made.verdict, await run.step(aecho, input, name="publish", once=True)]


@recipe("plain", version="1")
async def plain(run: Run, input: Any) -> Any:
    made = await run.gate("g")
    return [made.verdict, await run.step(aecho, input, name="publish")]


def reviewed() -> Recipe:
    """A handle of its own for each test: it keeps the runtime of its first call."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        drafted = await run.step(aecho, input)
        return (await run.gate("g", draft=drafted)).verdict

    return body


class Counting:
    """An opening of a log that counts its commits."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self.batches: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, batch: Any) -> None:
        self.batches.append(batch)
        await self._log.append(batch)


async def until_status(runtime: Runtime, run_id: str, status: str) -> None:
    async with asyncio.timeout(10):
        while (await runtime.outcome(run_id)).status != status:
            await asyncio.sleep(0)


async def until_story(runtime: Runtime, run_id: str, last: str) -> None:
    async with asyncio.timeout(10):
        while story(await runtime.history(RunId(run_id)))[-1:] != [last]:
            await asyncio.sleep(0)
