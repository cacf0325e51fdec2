"""`hitl-engine` with a cluster in this process's memory: one partition, one run that pauses."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from hitl_events import Runtime
from hitl_events.adapters.memory import MemoryLog
from hitl_events.embedded import Setting
from hitl_events.errors import HitlError
from hitl_services.engine.service import Plan, run
from hitl_services.observers import Observers


class MemoryCluster:
    """Gets its partition when it begins to serve, and gives it back at the end."""

    def __init__(self, runtime: Runtime, observer: Observers) -> None:
        self._runtime = runtime
        self._observer = observer
        self.partitions: Mapping[int, bool] = {}
        self.troubles: Mapping[int, HitlError] = {}
        self.lags: Mapping[tuple[str, int], int] = {("hitl.decisions", 0): 5}

    @property
    def ready(self) -> bool:
        """True once it has its partition."""
        return all(self.partitions.values()) and bool(self.partitions)

    async def serve(self, stop: asyncio.Event) -> None:
        """A run that pauses, then nothing."""
        await self._runtime.run("policy", {"title": "a draft that is secret"}, "run-1")
        self._observer.taken(0, 0.25, 1)
        self.partitions = {0: True}
        await stop.wait()
        self._observer.lost(0, None)


@asynccontextmanager
async def open_cluster(
    plan: Plan, state_dir: Path, observer: Observers
) -> AsyncGenerator[MemoryCluster]:
    """As of a broker."""
    (state_dir / "kept").touch()
    setting = Setting(log=MemoryLog(), keys=plan.keys, observer=observer)
    async with Runtime.open(None, recipes=plan.recipes, setting=setting) as runtime:
        yield MemoryCluster(runtime, observer)


if __name__ == "__main__":
    sys.exit(run("hitl-engine", {}, open_cluster))
