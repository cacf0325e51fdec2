"""One connection that reads committed records, for as long as a block is open."""

from __future__ import annotations

from typing import Any

from hitl_events.adapters.kafka.bounded import START_S, STOP_S, Bounded
from hitl_events.adapters.kafka.clients import FETCH_BYTES, new_consumer
from hitl_events.adapters.kafka.dropping import drop_consumer
from hitl_events.adapters.kafka.opening import Opening
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.trouble import Doing


class Consuming(Opening):
    """What `Reader` and `Tails` ask; `fetch_bytes` are of one place at a time."""

    def __init__(self, settings: KafkaSettings, *, fetch_bytes: int = FETCH_BYTES) -> None:
        self._settings = settings
        self._fetch_bytes = fetch_bytes
        self._bounded = Bounded(settings)
        self._consumer: Any = None

    async def _connect(self) -> None:
        settings, size = self._settings, self._fetch_bytes
        self._consumer = new_consumer(settings, "read_committed", fetch_bytes=size)
        doing = Doing(what="connect", about="cluster")
        await self._bounded.call(self._consumer.start(), doing, within_s=START_S)

    async def stop(self) -> None:
        """Close it in bounded time; never raises."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await drop_consumer(consumer, within_s=STOP_S)
