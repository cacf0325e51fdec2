"""The topic of events, read from its beginning: all of it, or the partitions of some runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from hitl_events.adapters.kafka.follower import Follower
from hitl_events.adapters.kafka.partitioning import partition_of
from hitl_events.adapters.kafka.reader import Reader
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.client.history import not_before_ms
from hitl_events.errors import CorruptLog
from hitl_events.ports import StoredEvent

Span = tuple[int, int]


class EventTopic:
    """What was committed when it was opened, partition by partition, each in its order."""

    def __init__(self, reader: Reader, count: int, spans: Mapping[Place, Span]) -> None:
        self._reader = reader
        self.count = count
        self.spans = spans

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: KafkaSettings,
        run_ids: Collection[str] | None = None,
        *,
        hints: bool = False,
    ) -> AsyncGenerator[EventTopic]:
        """With the spans in which events of these runs may stand; of all runs if None.

        With `hints` what an id says about its time is believed, which makes a span short; whoever
        then finds no beginning of the run opens it again without.
        """
        topic = Topics(settings.prefix).events
        # The follower says in seconds if the cluster cannot be reached.
        async with Follower(settings) as follower:
            places = await follower.places(topic)
            spans = await _spans(follower, places, run_ids)
            if hints and run_ids is not None:
                await _shorten(follower, spans, run_ids)
        async with Reader(settings) as reader:
            yield cls(reader, len(places), spans)

    @property
    def offsets(self) -> int:
        """How many offsets there are to read: events, and the marks between transactions."""
        return sum(end - start for start, end in self.spans.values())

    async def pieces(self, told: Callable[[int], None]) -> AsyncIterator[Sequence[Stored]]:
        """All of it, partition by partition; `told` hears how many offsets more are done."""
        for place, (start, end) in self.spans.items():
            at = start
            async for piece in self.read(place):
                yield piece
                told(piece[-1].offset + 1 - at)
                at = piece[-1].offset + 1
            told(end - at)

    def sources(self) -> dict[int, PartitionSource]:
        """Each partition as whoever folds it reads it."""
        return {place.partition: PartitionSource(self._reader, place) for place in self.spans}

    async def read(self, place: Place) -> AsyncIterator[Sequence[Stored]]:
        """The records of one partition in its span, in pieces."""
        start, end = self.spans[place]
        async for piece in self._reader.read(place, start):
            if fitting := [record for record in piece if record.offset < end]:
                yield fitting
            if len(fitting) < len(piece):
                return


class PartitionSource:
    """A partition of the topic, up to what is committed when it is read."""

    def __init__(self, reader: Reader, place: Place) -> None:
        self._reader = reader
        self._place = place

    async def read(self, start: int = 0) -> AsyncIterator[Sequence[StoredEvent]]:
        """Committed events from that offset on, from the first that is there for 0."""
        async for piece in self._reader.read(self._place, start or None):
            yield [_event(record) for record in piece]


def _event(record: Stored) -> StoredEvent:
    if record.value is None:
        where = f"{record.place}, offset {record.offset}"
        raise CorruptLog(where, "expected an event, found no value")
    return StoredEvent(offset=record.offset, value=record.value)


async def _spans(
    follower: Follower, places: Sequence[Place], run_ids: Collection[str] | None
) -> dict[Place, Span]:
    wanted = places
    if run_ids is not None:
        numbers = {partition_of(run_id, len(places)) for run_id in run_ids}
        wanted = [places[number] for number in sorted(numbers)]
    if not wanted:
        return {}
    begins, ends = await follower.begins(wanted), await follower.ends(wanted)
    return {place: (begins[place], ends[place]) for place in wanted}


async def _shorten(follower: Follower, spans: dict[Place, Span], run_ids: Collection[str]) -> None:
    """Begin where the earliest of the runs can, if all of their ids say when they were made."""
    hints = [not_before_ms(run_id) for run_id in run_ids]
    known = [hint for hint in hints if hint is not None]
    if not known or len(known) < len(hints):
        return
    for place, (first, end) in spans.items():
        found = await follower.since(place, min(known))
        spans[place] = (first if found is None else max(found, first), end)
