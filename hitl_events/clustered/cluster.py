"""The set-up on a Kafka cluster: one process of several that share the partitions.

The group deals the partitions out; each that comes gets a keeper, each that goes ends in an orderly
way first, within a bound. What is not ended by then is fenced by whoever has the partition next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from hitl_events.clustered.keeper import Keeper
from hitl_events.errors import HitlError

STOP_S = 3.0
"""What runners may take to end their steps (2 s) and their last commit. Where no broker answers it
is 3 + 1 s until they have let go, and 2 s to leave the group: a process has 8 s after SIGTERM."""

CANCEL_S = 2.0
"""What they may take after that to let go of what they hold."""


class Inbound(Protocol):
    """The group and what comes in through it."""

    @property
    def lags(self) -> Mapping[tuple[str, int], int]:
        """(Topic, partition) -> records that are not settled, of what is fed here."""
        ...

    async def start(self) -> None:
        """Join."""
        ...

    async def pump(self) -> None:
        """Feed what comes in, until cancelled or at its end."""
        ...

    def cease(self, partition: int) -> None:
        """Feed a partition no more."""
        ...

    async def stop(self) -> None:
        """Leave."""
        ...


class Cluster:
    """`serve` takes part until `stop` is set. It is told of partitions by the group."""

    def __init__(self) -> None:
        self._keepers: dict[int, tuple[Keeper, asyncio.Task[None]]] = {}
        self._going: dict[int, set[asyncio.Task[None]]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._joined = False

    def connect(self, inbound: Inbound, make_keeper: MakeKeeper) -> None:
        """Whose partitions these are, and who keeps each: they know us, so they come later."""
        self._inbound = inbound
        self._make_keeper = make_keeper

    @property
    def partitions(self) -> Mapping[int, bool]:
        """Partition -> whether it is served, of those that are ours."""
        return {number: keeper.is_ready for number, (keeper, _) in list(self._keepers.items())}

    @property
    def troubles(self) -> Mapping[int, HitlError]:
        """Partition -> why it is not served, of those that are ours and came into trouble."""
        kept = [(number, keeper.trouble) for number, (keeper, _) in list(self._keepers.items())]
        return {number: trouble for number, trouble in kept if trouble is not None}

    @property
    def lags(self) -> Mapping[tuple[str, int], int]:
        """(Topic, partition) -> records that came in and are not settled, as of a second ago."""
        return self._inbound.lags

    @property
    def ready(self) -> bool:
        """True once the group took us in and all that it gave us is served (a standby has none)."""
        return self._joined and all(self.partitions.values())

    async def serve(self, stop: asyncio.Event) -> None:
        """Take part; a `HitlError` is what this process can not mend."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await self._inbound.start()
                pump = group.create_task(self._inbound.pump())
                await stop.wait()
                await self._end(frozenset(self._keepers))
                pump.cancel()
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        finally:
            self._group = None
            self._keepers.clear()
            self._going.clear()
            await self._inbound.stop()

    # told by the group

    async def assigned(self, partitions: frozenset[int]) -> None:
        """Take these over, each by itself: a slow one keeps no other waiting."""
        self._joined = True
        if self._group is None:
            return
        for number in sorted(partitions - self._keepers.keys()):
            keeper = self._make_keeper(number)
            task = self._group.create_task(self._keep(keeper))
            self._keepers[number] = (keeper, task)

    async def _keep(self, keeper: Keeper) -> None:
        """Once those that had the partition before have let go of it.

        What they give back late, its feeding and its steps, would be taken from this one.
        """
        if before := self._going_of(keeper.number):
            await asyncio.wait(before)
        await keeper.keep()

    def _going_of(self, number: int) -> set[asyncio.Task[None]]:
        return {task for task in self._going.get(number, ()) if not task.done()}

    async def revoked(self, partitions: frozenset[int]) -> None:
        """Let these go; bounded."""
        await self._end(partitions)

    async def _end(self, partitions: frozenset[int]) -> None:
        ending: list[asyncio.Task[None]] = []
        for number in partitions & self._keepers.keys():
            keeper, task = self._keepers.pop(number)
            self._going[number] = {*self._going_of(number), task}
            self._inbound.cease(number)
            if not keeper.is_ready:
                task.cancel()
            keeper.stop()
            ending.append(task)
        if not ending:
            return
        _, late = await asyncio.wait(ending, timeout=STOP_S)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CANCEL_S)


class MakeKeeper(Protocol):
    """Makes the keeper of a partition."""

    def __call__(self, number: int) -> Keeper:
        """Not begun yet."""
        ...


def _first(failures: Any) -> BaseException:  # noqa: ANN401 - a group of any kind
    """The error to tell of where several came together: ours before others'."""
    at = failures.subgroup(HitlError) or failures
    while hasattr(at, "exceptions"):
        at = at.exceptions[0]
    return at  # type: ignore[no-any-return]  # groups hold exceptions
