"""Recipes that the runtime plays, and how far they are."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hitl_events import Recipe, Run, recipe
from hitl_events.engine.turn import Turn
from hitl_events.runtime.observer import Quiet


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


class Commits(Quiet):
    """Tells who waits for it that something was committed."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def committed(self, turn: Turn, commit_s: float) -> None:
        self._next.set()
        self._next = asyncio.Event()

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        """Look now, and again after each commit."""
        async with asyncio.timeout(10):
            following = self._next
            while not await holds():
                await following.wait()
                following = self._next
