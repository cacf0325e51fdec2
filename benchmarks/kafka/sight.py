"""What a read-committed consumer sees of a topic. It decodes nothing: the engine needs the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

SEEN_S_MAX = 300.0
READY_S_MAX = 30.0
PIECE_RECORDS_MAX = 5_000
PIECE_S = 0.05
POLL_S = 0.2
_AT_ONCE = {"fetch.wait.max.ms": 50, "fetch.min.bytes": 1}
_IN_PIECES = {"fetch.wait.max.ms": 100, "fetch.min.bytes": 256 * 1024}


class Sight:
    """All partitions of a topic, from what is its end now; keeps its place between calls.

    `in_pieces`: for a backlog, where a fetch for each transaction would cost more than it shows.
    Without it a record is seen as soon as it is committed.
    """

    def __init__(
        self, bootstrap: str, topic: str, alive: Callable[[], bool], *, in_pieces: bool = False
    ) -> None:
        self._alive = alive
        self._in_pieces = in_pieces
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "unused",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
                "log_level": 0,
            }
            | (_IN_PIECES if in_pieces else _AT_ONCE)
        )
        known = self._consumer.list_topics(topic, timeout=READY_S_MAX).topics[topic]
        self._consumer.assign([self._end(topic, number) for number in known.partitions])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._consumer.close()

    def until(self, count: int, wanted: Callable[[Message], bool]) -> list[Message]:
        """So many that are wanted, perhaps some more; an error if who makes them is gone."""
        found: list[Message] = []
        end_s = time.perf_counter() + SEEN_S_MAX
        while len(found) < count:
            found += filter(wanted, self._piece() if self._in_pieces else self.poll(POLL_S))
            if not self._alive() or time.perf_counter() > end_s:
                raise RuntimeError(f"expected {count} records, found {len(found)} and no more")
        return found

    def poll(self, wait_s: float) -> list[Message]:
        """What is there; else what comes first within that time, perhaps nothing."""
        first = self._consumer.poll(wait_s)
        if first is None:
            return []
        return _sound([first, *self._consumer.consume(PIECE_RECORDS_MAX, 0)])

    def _piece(self) -> list[Message]:
        return _sound(self._consumer.consume(PIECE_RECORDS_MAX, PIECE_S))

    def _end(self, topic: str, partition: int) -> TopicPartition:
        place = TopicPartition(topic, partition)
        ends = self._consumer.get_watermark_offsets(place, timeout=READY_S_MAX)
        assert ends is not None, place
        return TopicPartition(topic, partition, ends[1])


def _sound(messages: list[Message]) -> list[Message]:
    for message in messages:
        error = message.error()
        if error is not None:
            raise KafkaException(error)
    return messages
