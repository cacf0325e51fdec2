"""Membership in a group of processes: which partitions are ours, and what comes in on them.

All topics of a group have the same number of partitions and one assignor deals them out together,
so a number stands for a partition of each.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import OffsetOutOfRangeError

from hitl_events.adapters.kafka.bounded import CALL_S, START_S, STOP_S, Bounded
from hitl_events.adapters.kafka.clients import connection
from hitl_events.adapters.kafka.committed import committed_offsets
from hitl_events.adapters.kafka.dropping import drop_consumer
from hitl_events.adapters.kafka.headers import headers_of, take_any_header
from hitl_events.adapters.kafka.membership import prove_membership
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.trouble import Doing
from hitl_events.domain.values import value
from hitl_events.errors import LogUnavailable, OffsetOutside, UnknownTopic

SESSION_S = 10.0
"""A member that was not heard for so long has lost its partitions."""
HEARTBEATS_PER_SESSION = 10
GETMANY_MS = 50
"""How long one look at the topics waits where nothing comes: a new feeding begins that late."""
FETCH_WAIT_MS = 100
PIECE_RECORDS_MAX = 2_048
REBALANCE_S = 60.0
LAG_S = 1.0
"""How often the lags are looked at: a scrape comes every 15 s or so."""
GONE_S = 60.0
"""A topic that is not there for so long was deleted: a broker that has just begun knows all."""

_T = TypeVar("_T")


class Feeding(Protocol):
    """Who takes the records of one partition."""

    def feed(self, records: Sequence[Stored]) -> None:
        """Records of one topic, in order."""
        ...

    @property
    def is_full(self) -> bool:
        """True where nothing more is to be fed for now."""
        ...

    def held(self, topic: str) -> int:
        """How many of a topic's records were fed and are not settled."""
        ...


class Members(Protocol):
    """Who is told of the partitions that come and go."""

    async def revoked(self, partitions: frozenset[int]) -> None:
        """They may go to others once this returns: it is bounded, and what it leaves is fenced."""
        ...

    async def assigned(self, partitions: frozenset[int]) -> None:
        """They are ours, and nothing of them is fed yet."""
        ...


@value
class Span:
    """What a topic's partition holds: offsets from `start` on, to before `end`."""

    start: int
    end: int


class Group:
    """One consumer of some topics. `pump` is its loop; all else may be called beside it."""

    def __init__(
        self,
        settings: KafkaSettings,
        members: Members,
        topics: Sequence[str],
        *,
        session_s: float = SESSION_S,
    ) -> None:
        self._topics = tuple(topics)
        self._listed = " and ".join(self._topics)
        self._name = settings.group
        self._bounded = Bounded(settings)
        session_ms = int(session_s * 1000)
        take_any_header()
        self._consumer: Any = AIOKafkaConsumer(
            **connection(settings),
            group_id=settings.group,
            group_instance_id=settings.group_instance_id,
            isolation_level="read_committed",
            enable_auto_commit=False,
            # every partition is sought before it is fed, to a place that was checked
            auto_offset_reset="none",
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=session_ms // HEARTBEATS_PER_SESSION,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            fetch_min_bytes=1,
        )
        self._listener = _Listener(self, members)
        self._feedings: dict[int, Feeding] = {}
        self._starts: deque[tuple[int, Mapping[str, int], Feeding]] = deque()
        self._full: set[int] = set()
        self.lags: Mapping[tuple[str, int], int] = {}
        """Records of what is ours that are not settled, as of a second ago."""
        self._gone_from_s: float | None = None

    async def start(self) -> None:
        """Join the group; bounded."""
        await self._call(self._consumer.start(), f"join the group {self._name}", within_s=START_S)
        self._consumer.subscribe(self._topics, listener=self._listener)

    async def stop(self) -> None:
        """Leave it (a static member stays known to it); bounded."""
        await drop_consumer(self._consumer, within_s=STOP_S)

    async def pump(self) -> None:
        """Feed what comes in, until it is cancelled or the group can not go on."""
        looking = asyncio.create_task(self._look())
        try:
            while not looking.done():  # else it failed
                await self._feed_more()
            await looking
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _feed_more(self) -> None:
        self._begin_feedings()
        self._relieve()
        # it waits for as long as the group deals the partitions out anew
        pieces = await self._call(self._read(), f"read {self._listed}", within_s=REBALANCE_S)
        if self._listener.failure is not None:
            raise self._listener.failure
        for place, records in pieces.items():
            self._feed(place, records)

    async def _look(self) -> None:
        """From time to time, beside the reading: what is fed must not wait for it."""
        while True:
            await asyncio.sleep(LAG_S)
            await self._look_at_lags()
            self._look_for_topics()

    async def _read(self) -> Mapping[Any, Sequence[Any]]:
        """What came; `OffsetOutside` where it was deleted before it was read."""
        consumer = self._consumer
        try:
            found: Mapping[Any, Sequence[Any]] = await consumer.getmany(
                timeout_ms=GETMANY_MS, max_records=PIECE_RECORDS_MAX
            )
        except OffsetOutOfRangeError as error:
            for place, offset in error.args[0].items():
                span = (await self.spans(place.partition))[place.topic]
                held = (span.start, span.end)
                gone = OffsetOutside(place.topic, place.partition, offset, held, self._name)
                raise gone from None
            raise
        return found

    async def _look_at_lags(self) -> None:
        """The ends came with the last records; where nothing is read now they are asked for."""
        lags = await self._lags_of_unfed()
        ends = await self._ends_of_full()
        for partition, feeding in list(self._feedings.items()):
            for place in self._places(partition):
                if place not in self._consumer.assignment():
                    continue
                high, what = self._consumer.highwater(place), "read a position"
                if high is not None:
                    high = max(high, ends.get(place, 0))
                    position = await self._call(self._consumer.position(place), what)
                    unread = max(high - position, 0)
                    lags[place.topic, partition] = unread + feeding.held(place.topic)
        self.lags = lags

    async def _lags_of_unfed(self) -> dict[tuple[str, int], int]:
        """Of partitions that are in trouble, or being taken over: all behind what is committed.

        Without those of which the group has committed nothing.
        """
        assigned = self._consumer.assignment()
        places = [each for each in assigned if each.partition not in self._feedings]
        lags: dict[tuple[str, int], int] = {}
        if not places:
            return lags
        known = [Place(each.topic, each.partition) for each in places]
        with suppress(LogUnavailable):  # asked again soon
            settled = await self._committed(known, "read offsets for the lag")
            ends = await self._call(self._consumer.end_offsets(places), "read the ends for the lag")
            lags = {
                (each.topic, each.partition): max(end - settled[each], 0)
                for each, end in ends.items()
                if each in settled
            }
        return lags

    def _look_for_topics(self) -> None:
        """Who has none to read would wait for ever: `UnknownTopic` where one stays away.

        One that was made anew is found at once, not when the driver next asks by itself.
        """
        client = self._consumer._client  # noqa: SLF001 - the consumer tells only of topics that are there
        gone = [each for each in self._topics if client.cluster.partitions_for_topic(each) is None]
        now_s = asyncio.get_running_loop().time()
        if not gone:
            self._gone_from_s = None
            return
        self._gone_from_s = self._gone_from_s or now_s
        if now_s - self._gone_from_s > GONE_S:
            raise UnknownTopic(gone[0])
        client.force_metadata_update()

    async def _ends_of_full(self) -> Mapping[Any, int]:
        """Nothing is fetched of them, so that nothing tells how far they are behind by now."""
        assigned = self._consumer.assignment()
        places = [each for number in self._full for each in self._places(number)]
        places = [each for each in places if each in assigned]
        if not places:
            return {}
        ends: Mapping[Any, int] = {}
        with suppress(LogUnavailable):  # what can not be asked now is asked in a second again
            ends = await self._call(self._consumer.end_offsets(places), "read the ends for the lag")
        return ends

    def _begin_feedings(self) -> None:
        """Only here, between two reads: what a read that is under way gives is of before."""
        while self._starts:
            partition, offsets, feeding = self._starts.popleft()
            places = self._places(partition)
            if not set(places) <= self._consumer.assignment():
                continue  # it went while it was being taken over
            for place in places:
                self._consumer.seek(place, offsets[place.topic])
            self._feedings[partition] = feeding
            self._full.discard(partition)
            self._consumer.resume(*places)

    def _relieve(self) -> None:
        """Go on with who was full and is no more."""
        for partition in [each for each in self._full if not self._is_full(each)]:
            self._full.discard(partition)
            if partition in self._feedings:
                self._consumer.resume(*self._places(partition))

    def _is_full(self, partition: int) -> bool:
        feeding = self._feedings.get(partition)
        return feeding is not None and feeding.is_full

    def _feed(self, place: Any, records: Sequence[Any]) -> None:
        feeding = self._feedings.get(place.partition)
        if feeding is None or not records:
            return  # read again from the right place once somebody takes them
        feeding.feed([_fetched(record) for record in records])
        if feeding.is_full and place.partition not in self._full:
            self._full.add(place.partition)
            self._consumer.pause(*self._places(place.partition))

    # for the partitions

    def feed_from(self, partition: int, offsets: Mapping[str, int], feeding: Feeding) -> None:
        """Begin to feed a partition from these offsets (topic -> offset), soon."""
        self._starts.append((partition, offsets, feeding))

    def cease(self, partition: int) -> None:
        """Feed it no more."""
        self._feedings.pop(partition, None)
        self._starts = deque(each for each in self._starts if each[0] != partition)
        assigned = self._consumer.assignment()
        self._consumer.pause(*(each for each in self._places(partition) if each in assigned))

    async def committed(self, partition: int) -> dict[str, int | None]:
        """Topic -> the offset that the group goes on from; None where none is known."""
        places = [Place(topic, partition) for topic in self._topics]
        found = await self._committed(places, f"read the offsets of {self._listed}")
        return {place.topic: found.get(place) for place in places}

    async def settled(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Partition -> the offset that the group goes on from, whoever serves it; in one request.

        Without those of which it has committed nothing.
        """
        places = [Place(topic, partition) for partition in partitions]
        found = await self._committed(places, f"read the offsets of {topic}")
        return {place.partition: offset for place, offset in found.items()}

    async def _committed(self, places: Sequence[Place], what: str) -> Mapping[Place, int]:
        coordinator = self._consumer._coordinator  # noqa: SLF001 - `committed` may say None for "ask again"
        return await self._call(committed_offsets(coordinator, places), what)

    async def spans(self, partition: int) -> dict[str, Span]:
        """What the topics hold of it."""
        places = self._places(partition)
        what = f"read the ends of {self._listed}"
        starts = await self._call(self._consumer.beginning_offsets(places), what)
        ends = await self._call(self._consumer.end_offsets(places), what)
        return {each.topic: Span(start=starts[each], end=ends[each]) for each in places}

    async def fed(self, partition: int) -> dict[str, int] | None:
        """Topic -> the offset up to which all was fed; None where its feeding has not begun."""
        return await self.positions(partition) if partition in self._feedings else None

    async def positions(self, partition: int) -> dict[str, int]:
        """Topic -> the offset up to which it was read."""
        return {
            place.topic: await self._call(
                self._consumer.position(place), f"read the position in {place.topic}"
            )
            for place in self._places(partition)
        }

    async def confirm(self, partition: int) -> None:
        """Make sure that the group knows us now, and has given us the partition; nothing moves.

        `LogUnavailable` where the partition is not ours, or the group can not be asked.
        """
        coordinator = self._consumer._coordinator  # noqa: SLF001 - the consumer can not ask for that alone
        await self._call(prove_membership(coordinator), "confirm the membership")
        if not set(self._places(partition)) <= self._consumer.assignment():
            raise LogUnavailable(
                f"expected to serve partition {partition}, found that the group {self._name} "
                f"has given it to another member"
            )

    async def _call(self, call: Awaitable[_T], what: str, *, within_s: float = CALL_S) -> _T:
        doing = Doing(what=what, about=self._name, operation="READ")
        return await self._bounded.call(call, doing, within_s=within_s)

    def _places(self, partition: int) -> list[Any]:
        return [TopicPartition(topic, partition) for topic in self._topics]

    def hold_back(self, places: Sequence[Any]) -> None:
        """Nothing of them is to be read before its feeding begins.

        They get a position, any, as the driver would look for one by itself.
        """
        self._consumer.pause(*places)
        for place in places:
            self._consumer.seek(place, 0)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """What it raises would be swallowed by the client: it is kept, and raised by the pump."""

    def __init__(self, group: Group, members: Members) -> None:
        self._group = group
        self._members = members
        self.failure: BaseException | None = None

    # the driver awaits what these two give, whatever its base class says

    def on_partitions_revoked(self, revoked: Any) -> Any:
        """Before they can go to another member."""
        return self._told(self._members.revoked, revoked)

    def on_partitions_assigned(self, assigned: Any) -> Any:
        """First of all they are paused: else records flow before this has ended."""
        self._group.hold_back(list(assigned))
        return self._told(self._members.assigned, assigned)

    async def _told(self, tell: Any, places: Any) -> None:
        try:
            await tell(frozenset(place.partition for place in places))
        except Exception as error:  # noqa: BLE001 - the client would log and forget it
            self.failure = error


def _fetched(record: Any) -> Stored:
    return Stored(
        place=Place(record.topic, record.partition),
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=headers_of(record),
    )
