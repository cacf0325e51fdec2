"""The steps of all partitions of one process. Those of a partition that goes run on for a while."""

from __future__ import annotations

import asyncio
from typing import Self

from hitl_events.ports import Clock
from hitl_events.runtime.bench import Bench, Tell

OUTLIVE_S = 60.0
"""What a step may take to end after its partition has gone; a rebalance takes some seconds."""


class Benches:
    """One `Bench` to a partition, for as long as it is used or something is at work there."""

    def __init__(self, clock: Clock, alone: Tell, *, outlive_s: float = OUTLIVE_S) -> None:
        """`alone` is told of what ends while its partition is not served here."""
        self._clock = clock
        self._alone = alone
        self._outlive_s = outlive_s
        self._benches: dict[int, Bench] = {}
        self._ends: dict[int, asyncio.TimerHandle] = {}
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """What still runs is cancelled."""
        for partition in list(self._benches):
            self._close(partition)
        await self._group.__aexit__(None, None, None)

    def bench(self, partition: int) -> Bench:
        """That of a partition which is ours (again)."""
        end = self._ends.pop(partition, None)
        if end is not None:
            end.cancel()
        if partition not in self._benches:
            self._benches[partition] = Bench(self._group, self._clock, self._alone)
        return self._benches[partition]

    def left(self, partition: int) -> None:
        """Its runner has ended, or none came to be: a takeover that fails leaves it once more.

        The time that its steps have is counted from the first. A second end beside that would come
        while another runner has the bench: what its steps give would be thrown away.
        """
        bench = self._benches.get(partition)
        if bench is None:
            return
        if bench.is_idle:
            self._close(partition)
        elif partition not in self._ends:
            loop = asyncio.get_running_loop()
            self._ends[partition] = loop.call_later(self._outlive_s, self._close, partition)

    def _close(self, partition: int) -> None:
        end = self._ends.pop(partition, None)
        if end is not None:
            end.cancel()
        self._benches.pop(partition).close()
