"""Reads topics from their beginning, outside of any group."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tests.kafka.records import Headers, Record

READ_S_MAX = 60.0
POLL_S = 0.2
POLL_RECORDS_MAX = 5_000


class TookTooLong(Exception):
    """What was waited for did not come in time."""


class Reader:
    """All partitions of some topics at once; keeps its place between calls."""

    def __init__(
        self,
        configuration: dict[str, str | int | float | bool],
        topics: tuple[str, ...],
        *,
        committed: bool = True,
    ) -> None:
        self._consumer = Consumer(
            configuration
            | {
                "group.id": "unused",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed" if committed else "read_uncommitted",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
            }
        )
        known: Any = self._consumer.list_topics(timeout=READ_S_MAX).topics
        self._next = {(topic, number): 0 for topic in topics for number in _existing(topic, known)}
        self._ended: set[tuple[str, int]] = set()
        self._assign()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Bounded by librdkafka."""
        self._consumer.close()

    def poll(self) -> list[Record]:
        """What is there; else what comes first within 0.2 s, perhaps nothing."""
        found: list[Record] = []
        first = self._consumer.poll(POLL_S)
        if first is None:
            return found
        for message in [first, *self._consumer.consume(POLL_RECORDS_MAX, 0)]:
            place = (message.topic() or "", message.partition() or 0)
            error = message.error()
            if error is None:
                self._ended.discard(place)
                found.append(self.record(message))
                self._next[place] = found[-1].offset + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                self._ended.add(place)
                self._next[place] = message.offset() or 0
            elif not error.retriable() and error.code() not in _PASSING:
                raise KafkaException(error)
        return found

    def to_end(self, within_s: float = READ_S_MAX) -> list[Record]:
        """The records from here to an end that each partition had after this call began."""
        return [record for piece in self.pieces(within_s) for record in piece]

    def pieces(self, within_s: float = READ_S_MAX) -> Iterator[list[Record]]:
        """The same bit by bit, so that a topic of any length can be read."""
        self._ended.clear()
        self._assign()  # an end is told once: ask anew
        return self._polls(within_s, lambda: self._ended == self._next.keys())

    def until(
        self, condition: Callable[[list[Record]], bool], within_s: float = READ_S_MAX
    ) -> list[Record]:
        """The records from here until the condition holds of them; `TookTooLong`."""
        found: list[Record] = []
        for records in self._polls(within_s, partial(condition, found)):
            found += records
        return found

    def _assign(self) -> None:
        self._consumer.assign([TopicPartition(*place, at) for place, at in self._next.items()])

    def _polls(self, within_s: float, done: Callable[[], bool]) -> Iterator[list[Record]]:
        end_s = time.monotonic() + within_s
        while not done():
            if time.monotonic() > end_s:
                ended = f"{len(self._ended)} of {len(self._next)} partitions at their end"
                raise TookTooLong(f"expected it within {within_s:g} s, found {ended}")
            yield self.poll()

    @staticmethod
    def record(message: Message) -> Record:
        """The client's message as our value."""
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None
        assert partition is not None
        assert offset is not None
        return Record(
            topic=topic,
            partition=partition,
            offset=offset,
            timestamp_ms=message.timestamp()[1],
            key=message.key(),
            value=message.value(),
            headers=_headers(message),
        )


_PASSING = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
}
"""A broker that is down comes back, or the wait ends."""


def _existing(topic: str, known: Any) -> list[int]:
    if topic not in known:
        raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, topic))
    return list(known[topic].partitions)


def _headers(message: Message) -> Headers:
    headers = message.headers() or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    return tuple((name, _bytes(text)) for name, text in pairs)


def _bytes(text: str | bytes | None) -> bytes:
    return text.encode() if isinstance(text, str) else text or b""
