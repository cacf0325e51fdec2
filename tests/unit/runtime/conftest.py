"""A log of each kind, and runtimes on it that stand for processes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from hitl_events import Runtime
from hitl_events.adapters.memory import MemoryLog
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId
from hitl_events.embedded import Setting
from hitl_events.recipes.recipe import Recipe
from hitl_events.testing import ManualClock
from tests.unit.runtime.played import Commits
from tests.unit.world import story

KEYS = TokenKeys([b"k" * 32])


class Place:
    """Where a log lies: every `open` is a process of its own on it."""

    def __init__(self, kind: str, path: Path) -> None:
        self.clock = ManualClock()
        self._commits = Commits()
        self._path = path
        self._memory = MemoryLog(clock=self.clock) if kind == "memory" else None

    def log(self) -> Any:
        """An opening of the log."""
        if self._memory is not None:
            return self._memory.reopen()
        return SqliteLog.open(self._path, clock=self.clock)

    @asynccontextmanager
    async def open(
        self, *recipes: Recipe, log: Any = None, **given: Any
    ) -> AsyncGenerator[Runtime]:
        """A runtime on the log (or on this opening of it)."""
        strict = given.pop("diagnostics", "default")
        opening = log or self.log()
        usual = Setting(clock=self.clock, keys=KEYS, log=opening, observer=self._commits)
        setting = replace(usual, **given)
        try:
            async with Runtime.open(
                self._path, recipes=recipes, setting=setting, diagnostics=strict
            ) as runtime:
                yield runtime
        finally:
            opening.close()

    async def until_status(self, runtime: Runtime, run_id: str, status: str) -> None:
        """Wait until the run stands so."""

        async def holds() -> bool:
            return (await runtime.outcome(run_id)).status == status

        await self._commits.until(holds)

    async def until_story(self, runtime: Runtime, run_id: str, last: str) -> None:
        """Wait until its story ends so."""

        async def holds() -> bool:
            return story(await runtime.history(RunId(run_id)))[-1:] == [last]

        await self._commits.until(holds)


Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Runtime]]


@pytest.fixture(params=["memory", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(request.param, tmp_path / "data")
