"""Up to which moment all decisions were heard, in whichever partition they came.

A decision may come in another partition than that of its run, and is passed on. So before a gate
expires the group must have settled, everywhere, what was there when its time was over: what it
passes on is written with that. Looked at only while a timer is due. Knows no broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self

from hitl_events.domain.values import EPOCH
from hitl_events.errors import HitlError
from hitl_events.ports import Clock

PATIENCE_S = 30.0
"""A partition whose committed offset stays for so long is not waited for any longer: another engine
takes one over within a session of 10 s and some seconds, so nobody serves it."""
LOOK_S = 0.25
"""Between two looks at what is not settled yet: one or two requests each, for the whole process."""
REST_S = 0.1
"""After one moment was reached, until the next is begun: timers that are due meanwhile share it."""
RETRY_S = 1.0
"""After a question that the brokers did not answer."""


class Standing(Protocol):
    """What the group has to settle, and has settled, of the topic of decisions."""

    @property
    def topic(self) -> str:
        """Its name."""
        ...

    async def ends(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """High watermarks: a transaction that is open may still commit decisions before them."""
        ...

    async def committed(self) -> Mapping[int, int]:
        """Partition -> the offset that the group goes on from, where it has committed one."""
        ...

    async def waits(self, spans: Mapping[int, tuple[int | None, int]]) -> Mapping[int, bool]:
        """Partition -> whether a record stands in its span (from, to before; None: its beginning).

        Markers of transactions and aborted records are none. Left out where it is not known yet, or
        its leader does not answer.
        """
        ...


class Watching(Protocol):
    """Who is told of partitions that are not waited for."""

    def passed_over(self, partition: int, topic: str, offset: int | None) -> None:
        """It stays at that committed offset (None: none is known), and timers go on without it."""
        ...


@dataclass(slots=True)
class _Behind:
    """A partition that is not settled: where it stays, since when, and whether a record waits."""

    committed: int | None
    since_s: float
    waits: bool = False


class Horizon:
    """One for a process: it looks as far as it is asked to, as long as the block is open."""

    def __init__(
        self,
        standing: Standing,
        partitions: int,
        watcher: Watching,
        clock: Clock,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._standing = standing
        self._all = frozenset(range(partitions))
        self._watcher = watcher
        self._clock = clock
        self._patience_s = patience_s
        self._reached = EPOCH
        self._aimed_at = EPOCH
        self._wanted = asyncio.Event()
        self._told: dict[int, Callable[[], None]] = {}
        self._empty_to: dict[int, int] = {}
        self._stuck: dict[int, int | None] = {}
        self._silent: frozenset[int] = frozenset()
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._running = self._group.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._running.cancel()
        await self._group.__aexit__(None, None, None)

    # asked by partitions

    def heard(self, due: datetime) -> datetime:
        """The moment up to which all that came is settled, and what was for others passed on.

        Where `due` is later it looks on: whoever is told (`tell`) asks again then.
        """
        if due > self._aimed_at:
            self._wanted.set()
        return self._reached

    def tell(self, partition: int, nudge: Callable[[], None]) -> None:
        """Call it whenever a later moment was reached."""
        self._told[partition] = nudge

    def forget(self, partition: int) -> None:
        """Call nothing for it any more."""
        self._told.pop(partition, None)

    # the loop

    async def _run(self) -> None:
        """Until cancelled; trouble with the brokers ends nothing."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            # before the ends are asked for: what arrived by then stands before them
            moment = self._aimed_at = self._clock.now()
            await self._settled(await self._ends())
            self._reached = moment
            for nudge in tuple(self._told.values()):
                nudge()
            await asyncio.sleep(REST_S)

    async def _ends(self) -> dict[int, int]:
        """Of all that are waited for; those that do not answer are left out after a while."""
        since_s = self._clock.monotonic_s()
        while True:
            try:
                await self._revive()
                asked = self._all - self._stuck.keys() - self._silent
                ends = dict(await self._standing.ends(asked)) if asked else {}
            except HitlError:
                if self._clock.monotonic_s() - since_s > self._patience_s:
                    await self._find_silent()
                await asyncio.sleep(RETRY_S)
            else:
                return ends

    async def _revive(self) -> None:
        """Those that move again, or answer again, are waited for again."""
        if self._stuck:
            committed = await self._standing.committed()
            stuck = self._stuck.items()
            self._stuck = {at: offset for at, offset in stuck if committed.get(at) == offset}
        if self._silent:
            self._silent -= await self._answering(self._silent)

    async def _find_silent(self) -> None:
        """Which of them have no leader that answers; where all have none, none is left out."""
        silent = self._all - await self._answering(self._all)
        if silent == self._all:
            return
        for partition in sorted(silent - self._silent):
            self._watcher.passed_over(partition, self._standing.topic, None)
        self._silent = silent

    async def _answering(self, partitions: frozenset[int]) -> frozenset[int]:
        found: set[int] = set()
        for partition in sorted(partitions):
            with suppress(HitlError):
                found.update(await self._standing.ends([partition]))
        return frozenset(found)

    async def _settled(self, ends: dict[int, int]) -> None:
        """Until the group has settled all before these ends, or what is not does not move."""
        behind: dict[int, _Behind] = {}
        while True:
            try:
                await self._look(ends, behind)
            except HitlError:
                behind.clear()  # nobody could move meanwhile
                await asyncio.sleep(RETRY_S)
                continue
            if not ends:
                return
            await asyncio.sleep(LOOK_S)

    async def _look(self, ends: dict[int, int], behind: dict[int, _Behind]) -> None:
        """Take out of `ends` what is settled by now, or has not moved for too long."""
        committed = await self._standing.committed()
        now_s = self._clock.monotonic_s()
        for partition, end in tuple(ends.items()):
            offset = committed.get(partition)
            if (offset or 0) >= end or self._empty_to.get(partition, -1) >= end:
                del ends[partition]
            elif partition not in behind or behind[partition].committed != offset:
                behind[partition] = _Behind(offset, now_s)
        await self._look_between(ends, behind)
        for partition in tuple(ends):
            if now_s - behind[partition].since_s > self._patience_s:
                offset = self._stuck[partition] = behind[partition].committed
                self._watcher.passed_over(partition, self._standing.topic, offset)
                del ends[partition]

    async def _look_between(self, ends: dict[int, int], behind: Mapping[int, _Behind]) -> None:
        """The committed offset is behind the last record, and never passes a marker after it."""
        spans = {at: (behind[at].committed, ends[at]) for at in ends if not behind[at].waits}
        if not spans:
            return
        for partition, waits in (await self._standing.waits(spans)).items():
            if waits:
                behind[partition].waits = True
            else:
                self._empty_to[partition] = ends.pop(partition)
