"""An independent Kafka client for tests: confluent-kafka, typed where ours begins.

Topics, users, rights and audits come from here, so that no mistake of our own client hides itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from confluent_kafka import KafkaException, Message, Producer

from tests.kafka.admin import Admin
from tests.kafka.reader import Reader
from tests.kafka.records import Outgoing, Record
from tests.kafka.security import Login

PUBLISH_S_MAX = 90.0
"""A broker that was killed serves again after 5 s, on a busy machine after 40."""
QUEUE_RECORDS_MAX = 500_000
RECORD_BYTES_MAX = 1_048_588
"""What a topic takes by default: the client would refuse some of that by itself."""


class NotPublished(Exception):
    """A record was refused or not acknowledged in time; the rest may be in the log."""


class Client:
    """One user's way to one cluster. Everything raises `KafkaException` if that user may not."""

    def __init__(
        self, bootstrap: str, login: Login | None = None, authority: Path | None = None
    ) -> None:
        self._configuration = _configuration(bootstrap, login, authority)

    @cached_property
    def admin(self) -> Admin:
        """Topics, offsets, groups, users and rights."""
        return Admin(self._configuration)

    def producer(self, **options: str | float | bool) -> Producer:
        """A producer with idempotence and acks=all; options in librdkafka's names, dots as `_`."""
        return Producer(
            self._configuration
            | {
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 1,
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": QUEUE_RECORDS_MAX,
                "message.max.bytes": RECORD_BYTES_MAX,
            }
            | {name.replace("_", "."): option for name, option in options.items()}
        )

    def publish(self, *records: Outgoing) -> list[Record]:
        """All acknowledged by all in-sync replicas, with their places; else `NotPublished`."""
        with self.producer() as producer:
            return publish(producer, records)

    def reader(self, *topics: str, committed: bool = True) -> Reader:
        """Read these topics from offset 0 on, without a group; close it, or use `with`."""
        return Reader(self._configuration, topics, committed=committed)

    def read(self, *topics: str, committed: bool = True) -> list[Record]:
        """All that is in these topics now (read committed: up to the last stable offset)."""
        with self.reader(*topics, committed=committed) as reader:
            return reader.to_end()


def publish(producer: Producer, records: Iterable[Outgoing]) -> list[Record]:
    """All acknowledged, with their places in the order of the records; else `NotPublished`."""
    sent = list(records)
    placed: dict[int, Record] = {}
    refused: list[str] = []
    for number, record in enumerate(sent):

        def acknowledged(error: object, message: Message, number: int = number) -> None:
            if error is None:
                placed[number] = Reader.record(message)
            else:
                refused.append(str(error))

        producer.produce(
            record.topic,
            value=record.value,
            key=record.key,
            headers=list(record.headers),
            partition=-1 if record.partition is None else record.partition,
            on_delivery=acknowledged,
        )
        producer.poll(0)
    producer.flush(PUBLISH_S_MAX)
    if len(placed) < len(sent):
        why = refused[0] if refused else f"no answer in {PUBLISH_S_MAX:g} s"
        raise NotPublished(f"expected {len(sent)} acknowledged, found {len(placed)}: {why}")
    return [placed[number] for number in range(len(sent))]


def _configuration(
    bootstrap: str, login: Login | None, authority: Path | None
) -> dict[str, str | int | float | bool]:
    held: dict[str, str | int | float | bool] = {
        "bootstrap.servers": bootstrap,
        "security.protocol": _protocol(login, authority),
        "socket.timeout.ms": 10_000,
        "reconnect.backoff.max.ms": 500,
        "log_level": 0,
    }
    if authority is not None:
        held["ssl.ca.location"] = str(authority)
    if login is not None:
        held["sasl.mechanism"] = login.mechanism
        if login.mechanism == "OAUTHBEARER":
            held["enable.sasl.oauthbearer.unsecure.jwt"] = True
            held["sasl.oauthbearer.config"] = f"principal={login.name}"
        else:
            held["sasl.username"] = login.name
            held["sasl.password"] = login.password
    return held


def _protocol(login: Login | None, authority: Path | None) -> str:
    ends = "PLAINTEXT" if authority is None else "SSL"
    return ends if login is None else f"SASL_{ends}"


__all__ = ["Client", "KafkaException", "NotPublished", "publish"]
