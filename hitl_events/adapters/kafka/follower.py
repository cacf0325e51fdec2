"""Committed records from places of the caller's choice on, as they arrive; joins no group."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiokafka.structs import TopicPartition

from hitl_events.adapters.kafka.bounded import CALL_S, STOP_S, Bounded
from hitl_events.adapters.kafka.clients import new_consumer
from hitl_events.adapters.kafka.dropping import drop_consumer
from hitl_events.adapters.kafka.headers import headers_of
from hitl_events.adapters.kafka.metadata import know
from hitl_events.adapters.kafka.opening import Opening
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.trouble import Doing

REACH_S = 4.0
"""To connect: a broker that is there answers in milliseconds, and somebody waits for the line."""
_PIECE_RECORDS = 2_000
"""Of events at 1 KB 2 MB; a piece of the largest records is what one fetch brings (4 MB)."""
_REACH = Doing(what="reach the brokers", about="the cluster")


class Follower(Opening):
    """One reader: `follow` says from where, `take` gives what has come since, in order by place.

    `async with Follower(settings) as follower`.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._bounded = Bounded(settings)
        self._consumer: Any = None

    async def _connect(self) -> None:
        """What is in the way is told within `REACH_S`."""
        self._consumer = new_consumer(self._settings, "read_committed")
        await self._bounded.call(self._consumer.start(), _REACH, within_s=REACH_S)

    async def stop(self) -> None:
        """Close it in bounded time; never raises."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await drop_consumer(consumer, within_s=STOP_S)

    async def places(self, topic: str, operation: str = "READ") -> tuple[Place, ...]:
        """The partitions of a topic; `UnknownTopic` where there is none.

        `operation`: what is to be done there. Without the right to it the topic can not even be
        seen, and that is the right to ask for.
        """
        await self._know([Place(topic, 0)], operation)
        numbers = self._consumer._client.cluster.partitions_for_topic(topic)  # noqa: SLF001 - the driver's own method knows of assigned ones only
        return tuple(Place(topic, number) for number in sorted(numbers))

    async def ends(self, places: Collection[Place]) -> dict[Place, int]:
        """The end of what is committed at each of the places (the last stable offset)."""
        return await self._offsets("end_offsets", places)

    async def begins(self, places: Collection[Place]) -> dict[Place, int]:
        """The first offset that each of the places holds."""
        return await self._offsets("beginning_offsets", places)

    async def since(self, place: Place, timestamp_ms: int) -> int | None:
        """The first offset whose record is not older; None where all are."""
        await self._know([place])
        partition = TopicPartition(*place)
        asked = self._consumer.offsets_for_times({partition: timestamp_ms})
        found = (await self._bounded.call(asked, _about([place])))[partition]
        return None if found is None else int(found.offset)

    def follow(self, starts: Mapping[Place, int]) -> None:
        """From now on give what stands at these places from these offsets on."""
        self._consumer.assign(_partitions(starts))
        for place, offset in starts.items():
            self._consumer.seek(TopicPartition(*place), offset)

    async def take(self, within_s: float) -> Sequence[Stored]:
        """What has come; nothing if nothing comes within that time."""
        asked = self._consumer.getmany(
            timeout_ms=round(within_s * 1000), max_records=_PIECE_RECORDS
        )
        doing = Doing(what="read records", about="a topic", operation="READ")
        found = await self._bounded.call(asked, doing, within_s=within_s + CALL_S)
        return [_stored(record) for records in found.values() for record in records]

    async def position(self, place: Place) -> int:
        """The offset up to which all that is committed was taken."""
        asked = self._consumer.position(TopicPartition(*place))
        return int(await self._bounded.call(asked, _about([place])))

    async def _offsets(self, name: str, places: Collection[Place]) -> dict[Place, int]:
        await self._know(places)
        asked = getattr(self._consumer, name)(_partitions(places))
        found = await self._bounded.call(asked, _about(places))
        return {Place(at.topic, at.partition): offset for at, offset in found.items()}

    async def _know(self, places: Collection[Place], operation: str = "READ") -> None:
        """Else a topic that is not there, or that we may not see, would be a time-out."""
        await know(self._consumer._client, self._bounded, places, operation)  # noqa: SLF001 - as above


def _partitions(places: Collection[Place]) -> list[TopicPartition]:
    return [TopicPartition(*place) for place in places]


def _about(places: Collection[Place]) -> Doing:
    topic = next(iter(places)).topic
    return Doing(what=f"find the offsets of {topic}", about=topic)


def _stored(record: Any) -> Stored:
    return Stored(
        place=Place(record.topic, record.partition),
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=headers_of(record),
    )
