"""Puts single records into topics: idempotent, acknowledged by all in-sync replicas."""

from __future__ import annotations

from typing import Any

from hitl_events.adapters.kafka.bounded import STOP_S, Bounded
from hitl_events.adapters.kafka.clients import new_producer
from hitl_events.adapters.kafka.dropping import drop_producer
from hitl_events.adapters.kafka.follower import REACH_S
from hitl_events.adapters.kafka.opening import Opening
from hitl_events.adapters.kafka.records import Outgoing
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.trouble import Doing

SEND_S = 8.0
"""One record: milliseconds. A change of leader takes up to 7 s."""
_REACH = Doing(what="reach the brokers", about="the cluster")


class Sender(Opening):
    """One producer without transactions; after an error it is to be stopped, not used again."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._bounded = Bounded(settings)
        self._settings = settings
        self._producer: Any = None

    async def _connect(self) -> None:
        self._producer = new_producer(self._settings, None)
        await self._bounded.call(self._producer.start(), _REACH, within_s=REACH_S)

    async def send(self, record: Outgoing) -> int:
        """Its offset once it is acknowledged. After an error it may be in the topic or not."""
        topic, partition = record.place
        sending = self._producer.send_and_wait(
            topic,
            record.value,
            key=record.key,
            partition=partition,
            headers=list(record.headers),
        )
        doing = Doing(what=f"send a record to {topic}", about=topic, operation="WRITE")
        return int((await self._bounded.call(sending, doing, within_s=SEND_S)).offset)

    async def stop(self) -> None:
        """Close it in bounded time; never raises. Nothing more is sent."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await drop_producer(producer, within_s=STOP_S)
