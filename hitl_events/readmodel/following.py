"""The read model kept up with a runtime of this process: folded after each commit, beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from hitl_events.adapters.readmodel.targets import Target
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.domain.values import RunId
from hitl_events.engine.turn import Turn
from hitl_events.errors import HitlError, LogUnavailable
from hitl_events.readmodel.local import caught_up
from hitl_events.runtime.observer import Observer, Quiet

REACH_S = 10.0


class Following:
    """An observer of the runtime, to be given to it. Folding is done in a thread of its own.

    What several commits brought meanwhile is folded together. Where that fails the runtime goes on:
    the log has everything, `trouble` says why, and the next commit tries it again.
    """

    def __init__(self, directory: Path, target: Target, observer: Observer) -> None:
        self._directory = directory
        self._target = target
        self._observer = observer
        self._news = asyncio.Event()
        self._moved = asyncio.Condition()
        self._end = 0
        self.trouble: HitlError | None = None

    @classmethod
    @asynccontextmanager
    async def open(
        cls, directory: Path, target: Target, observer: Observer | None = None
    ) -> AsyncGenerator[Following]:
        """Folds what is there, then what comes; `observer` is told all that this one is."""
        following = cls(directory, target, observer or Quiet())
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(following._keep())
            try:
                yield following
            finally:
                keeping.cancel()

    @property
    def next_offset(self) -> int:
        """All before it is in the read model."""
        return self._end

    async def reached(self, next_offset: int, *, within_s: float = REACH_S) -> None:
        """Return once all before that offset of the log is in the read model.

        For whoever has just decided and wants to read it; `LogUnavailable` if it takes too long.
        """
        try:
            async with asyncio.timeout(within_s), self._moved:
                await self._moved.wait_for(lambda: self._end >= next_offset)
        except TimeoutError:
            raise LogUnavailable(
                f"expected the read model to have all before offset {next_offset} within "
                f"{within_s:g} s, found {self._end} ({self.trouble or 'it is behind'}): what was "
                f"recorded is safe, ask again"
            ) from None

    def committed(self, turn: Turn, commit_s: float) -> None:
        """There is something new."""
        self._news.set()
        self._observer.committed(turn, commit_s)

    def fault(self, run_id: RunId | None, error: Exception) -> None:
        """Told on."""
        self._observer.fault(run_id, error)

    async def _keep(self) -> None:
        self._news.set()
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                end = await asyncio.to_thread(self._fold)
            except HitlError as error:
                self.trouble = error
                self._observer.fault(None, error)
                continue
            async with self._moved:
                self._end, self.trouble = end, None
                self._moved.notify_all()

    def _fold(self) -> int:
        log = SqliteLog.open_for_reading(self._directory)
        try:
            return asyncio.run(_folded(log, self._target))
        finally:
            log.close()


async def _folded(log: SqliteLog, target: Target) -> int:
    end = await log.end()
    (await caught_up(log, target, lambda _: None)).close()
    return end
