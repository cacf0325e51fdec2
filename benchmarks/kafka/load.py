"""Decisions that go in to a raw loop, and what is seen of them on the other side."""

from __future__ import annotations

import os
import time
from collections import Counter

from confluent_kafka import Message

from benchmarks.kafka.sight import Sight
from hitl_events.domain.values import value
from tests.kafka.client import Client, publish
from tests.kafka.records import Outgoing

RECORDS_PER_DECISION = 3
RECORD_BYTES = 400
NUMBER_BYTES = 8
IDLE_S = 0.02
"""Before each decision on an idle loop, so that all have gone to sleep."""


@value
class Topics:
    """Where decisions go in and events come out; as many partitions each."""

    inbound: str
    events: str
    partitions: int


def create(client: Client, topics: Topics) -> None:
    """Both, with the broker's defaults."""
    client.admin.create_topic(topics.inbound, topics.partitions)
    client.admin.create_topic(topics.events, topics.partitions)


def fill(client: Client, topics: Topics, decisions: int) -> None:
    """All acknowledged, the same number in each partition."""
    with client.producer(linger_ms=5) as producer:
        publish(producer, (_decision(topics, number) for number in range(decisions)))


def drained_s(sight: Sight, decisions: int) -> float:
    """Seconds until all records of that many decisions were seen committed.

    A loop that loses or doubles measures nothing.
    """
    began_s = time.perf_counter()
    records = sight.until(decisions * RECORDS_PER_DECISION, _any)
    taken_s = time.perf_counter() - began_s
    seen = Counter((record.value() or b"")[:NUMBER_BYTES] for record in records)
    if len(seen) != decisions or set(seen.values()) != {RECORDS_PER_DECISION}:
        times = dict(Counter(seen.values()))
        raise RuntimeError(
            f"expected {decisions} decisions with {RECORDS_PER_DECISION} records each,"
            f" found {len(seen)} with {times}"
        )
    return taken_s


def idle_s(client: Client, sight: Sight, topics: Topics, decisions: int) -> list[float]:
    """Seconds of each decision from its publication until its last record is seen committed."""
    taken: list[float] = []
    with client.producer(linger_ms=0) as producer:
        for number in range(decisions):
            # sleep: the idleness is what is measured
            time.sleep(IDLE_S)
            began_s = time.perf_counter()
            record = _decision(topics, number)
            place = -1 if record.partition is None else record.partition
            producer.produce(record.topic, record.value, record.key, partition=place)
            producer.poll(0)
            sight.until(RECORDS_PER_DECISION, _any)
            taken.append(time.perf_counter() - began_s)
    return taken


def _any(_: Message) -> bool:
    return True


def _decision(topics: Topics, number: int) -> Outgoing:
    head = number.to_bytes(NUMBER_BYTES, "big")
    return Outgoing(
        topic=topics.inbound,
        partition=number % topics.partitions,
        key=f"run-{number}".encode(),
        value=head + os.urandom(RECORD_BYTES - NUMBER_BYTES),
    )
