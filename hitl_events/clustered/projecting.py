"""Joins the group of projectors: takes partitions over in the read model and keeps up with them.

Offsets stand in the read model, beside the rows that they are true for. Taking a partition over
there raises its epoch, and every write checks that: whoever had it before writes nothing more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import field, replace
from functools import partial
from typing import Protocol

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.kafka.access import check_access
from hitl_events.adapters.kafka.acls import acls
from hitl_events.adapters.kafka.follower import Follower
from hitl_events.adapters.kafka.group import SESSION_S, Group
from hitl_events.adapters.kafka.reader import Reader
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.adapters.readmodel.desk import Desk
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.system import SystemClock
from hitl_events.clustered.cluster import Cluster
from hitl_events.clustered.folded import PIECE_BYTES, Folded, Writer
from hitl_events.clustered.keeper import Keeper, Watcher
from hitl_events.domain.values import value
from hitl_events.errors import CorruptLog, HitlError, OffsetOutside, ReadModelDiffers
from hitl_events.ports import Clock
from hitl_events.projections.folding import KEPT_BYTES_MAX
from hitl_events.projections.store import Proof
from hitl_events.runtime.progress import REACH_S, Progress
from hitl_events.runtime.projector import PIECE_EVENTS
from hitl_events.runtime.tenant import Tenant

BEHIND_MAX = PIECE_EVENTS
"""A partition that is so near to its end is caught up: the rest is one piece."""
CLOSE_S = 2.0
"""For the write that is under way to end, and the connection with it."""
STANDS_FOR = (CorruptLog, ReadModelDiffers, OffsetOutside)
"""What no restart mends: that partition stands still until somebody looks."""


class FoldWatcher(Watcher, Protocol):
    """Who is told of the partitions and of what is folded."""

    def folded(self, events: int, took_s: float) -> None:
        """So many events were written in one transaction, folding included."""
        ...


@value
class Projecting:
    """One process that takes part; the read model is opened when it is first needed."""

    settings: KafkaSettings
    open_model: Callable[[], ReadModel]
    watcher: FoldWatcher
    session_s: float = SESSION_S
    clock: Clock = field(default_factory=SystemClock)


@asynccontextmanager
async def projecting(member: Projecting) -> AsyncGenerator[Projection]:
    """A place in the group to `serve` in; what is wrong with database or topic is told before."""
    topics = Topics(member.settings.prefix)
    settings = replace(member.settings, group=topics.projectors)
    desk = Desk(member.open_model)
    try:
        await desk.check()
        await check_access(settings, acls("projector", topics, settings.group))
        async with Follower(settings) as follower:
            count = len(await follower.places(topics.events))
        yield Projection(replace(member, settings=settings), desk, count)
    finally:
        with suppress(TimeoutError):  # it hangs in the database; the process ends without it
            async with asyncio.timeout(CLOSE_S):
                await desk.close()


class Projection:
    """`serve` takes part until `stop` is set; the rest says how it fares."""

    def __init__(self, member: Projecting, desk: Desk, count: int) -> None:
        self._member = member
        self._desk = desk
        self._topic = Topics(member.settings.prefix).events
        self._count = count
        self._kept_bytes = KEPT_BYTES_MAX // count
        self._cluster = Cluster()
        self._progress = Progress()
        self._behind: dict[int, int] = {}
        self._group = Group(
            member.settings, self._cluster, [self._topic], session_s=member.session_s
        )
        self._cluster.connect(self._group, self._keeper)

    @property
    def ready(self) -> bool:
        """True once the group took us in and all that it gave us is caught up."""
        return self._cluster.ready

    @property
    def partitions(self) -> Mapping[int, bool]:
        """Partition -> whether it was caught up since it is ours."""
        return self._cluster.partitions

    @property
    def troubles(self) -> Mapping[int, HitlError]:
        """Partition -> why it is not folded, of those that are ours and in trouble."""
        return self._cluster.troubles

    @property
    def lags(self) -> Mapping[int, int]:
        """Partition -> events that are not in the read model, as of a second ago."""
        fed = {partition: lag for (_, partition), lag in self._group.lags.items()}
        return {**fed, **self._behind}

    async def serve(self, stop: asyncio.Event) -> None:
        """Take part; a `HitlError` is what this process can not mend."""
        await self._cluster.serve(stop)

    def _keeper(self, number: int) -> Keeper:
        member, confirm = self._member, self._group.confirm
        return Keeper(
            number, self._taken, confirm, member.watcher, member.clock, stands_for=STANDS_FOR
        )

    async def reached(self, partition: int, offset: int, *, within_s: float = REACH_S) -> None:
        """Return once the event at that offset is in the read model, which is folded here.

        `LogUnavailable` if it takes too long.
        """
        await self._progress.reached(partition, offset, within_s=within_s)

    @asynccontextmanager
    async def _taken(self, partition: int) -> AsyncGenerator[Folded]:
        """Fence whoever had it, see that its log is the one that was folded, catch up with it."""
        do, place = self._desk.do, Place(self._topic, partition)
        try:
            tenant = await do(partial(self._tenant, partition))
            writer = Writer(tenant, do, partial(self._written, tenant))
            async with Reader(self._member.settings) as reader:
                await _check(reader, self._topic, self._count, tenant.tenure.proof)
                await self._catch_up(reader, place, writer)
            self._progress.moved(partition, writer.next_offset)
            begin = partial(self._begin, place, writer)
            yield Folded(writer, begin, partial(self._fed_to, place))
        finally:
            self._behind.pop(partition, None)
            self._progress.lost(partition)
            self._group.cease(partition)

    def _tenant(self, partition: int) -> Tenant:
        kept_bytes = self._kept_bytes
        return Tenant(self._desk, AvroCodec(), self._topic, partition, kept_bytes=kept_bytes)

    def _written(self, tenant: Tenant, events: int, took_s: float) -> None:
        self._progress.moved(tenant.tenure.partition, tenant.next_offset)
        if events:
            self._member.watcher.folded(events, took_s)

    async def _catch_up(self, reader: Reader, place: Place, writer: Writer) -> None:
        """Round after round, each to the end of before; `OffsetOutside` where none can begin."""
        left = BEHIND_MAX + 1
        while left > BEHIND_MAX:
            _, end = await reader.bounds(place)
            left = self._behind[place.partition] = max(end - writer.next_offset, 0)
            async for piece in _pieces(reader.read(place, writer.next_offset)):
                await writer.write(piece, piece[-1].offset + 1)
                self._behind[place.partition] = max(end - writer.next_offset, 0)
            if end > writer.next_offset:  # no event is in between
                await writer.write([], end)

    def _begin(self, place: Place, writer: Writer, folded: Folded) -> None:
        self._behind.pop(place.partition, None)
        self._group.feed_from(place.partition, {place.topic: writer.next_offset}, folded)

    async def _fed_to(self, place: Place) -> int | None:
        fed = await self._group.fed(place.partition)
        return None if fed is None else fed[place.topic]


async def _pieces(read: AsyncIterator[Sequence[Stored]]) -> AsyncIterator[Sequence[Stored]]:
    """The same records in pieces that are worth a transaction, and bounded."""
    gathered: list[Stored] = []
    size_bytes = 0
    async for some in read:
        gathered += some
        size_bytes += sum(len(record.value or b"") for record in some)
        if len(gathered) >= PIECE_EVENTS or size_bytes >= PIECE_BYTES:
            yield gathered
            gathered, size_bytes = [], 0
    if gathered:
        yield gathered


async def _check(reader: Reader, topic: str, count: int, proof: Proof | None) -> None:
    """`ReadModelDiffers` where the log is not the one that was folded."""
    if proof is None:
        return
    is_there = proof.partition < count
    found = await reader.at(Place(topic, proof.partition), proof.offset) if is_there else None
    if found is None or found.value is None or found.value != proof.value:
        raise ReadModelDiffers(proof.partition, proof.offset)
