"""Where partitions begin and end: for committed readers, and including what is still open."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any

from aiokafka.structs import TopicPartition

from hitl_events.adapters.kafka.bounded import START_S, STOP_S, Bounded
from hitl_events.adapters.kafka.clients import new_consumer
from hitl_events.adapters.kafka.dropping import drop_consumer
from hitl_events.adapters.kafka.metadata import know
from hitl_events.adapters.kafka.opening import Opening
from hitl_events.adapters.kafka.records import Place
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.trouble import Doing

Offsets = dict[Place, int]


class Ends(Opening):
    """Asks for offsets; one serves a process, and any number of callers at the same time.

    It needs DESCRIBE on the topics. `async with Ends(settings) as ends`.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._bounded = Bounded(settings)
        self._committed: Any = None
        self._uncommitted: Any = None

    async def _connect(self) -> None:
        self._committed = new_consumer(self._settings, "read_committed")
        self._uncommitted = new_consumer(self._settings, "read_uncommitted")
        for consumer in (self._committed, self._uncommitted):
            doing = Doing(what="connect", about="cluster")
            await self._bounded.call(consumer.start(), doing, within_s=START_S)

    async def stop(self) -> None:
        """Close it in bounded time; never raises."""
        opened = [self._committed, self._uncommitted]
        self._committed = self._uncommitted = None
        async with AsyncExitStack() as undo:
            for consumer in opened:
                if consumer is not None:
                    undo.push_async_callback(drop_consumer, consumer, within_s=STOP_S)

    async def stable(self, places: Iterable[Place]) -> Offsets:
        """The last stable offsets: all before is decided, and is what committed readers get."""
        return await self._ask("end_offsets", self._committed, list(places))

    async def high(self, places: Iterable[Place]) -> Offsets:
        """The high watermarks: the next offsets, with open transactions before them."""
        return await self._ask("end_offsets", self._uncommitted, list(places))

    async def first(self, places: Iterable[Place]) -> Offsets:
        """The first offsets that are still there."""
        return await self._ask("beginning_offsets", self._committed, list(places))

    async def _ask(self, name: str, consumer: Any, places: list[Place]) -> Offsets:
        await know(consumer._client, self._bounded, places)  # noqa: SLF001 - else a denied topic is a time-out
        asked = [TopicPartition(*place) for place in places]
        about = ", ".join(sorted({place.topic for place in places}))
        doing = Doing(what=f"find the offsets of {about}", about=about)
        found = await self._bounded.call(getattr(consumer, name)(asked), doing)
        return {Place(at.topic, at.partition): offset for at, offset in found.items()}
