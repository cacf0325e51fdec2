"""What the tests of the Kafka adapter need: settings for a cluster, topics, transactions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.structs import TopicPartition as DriverPlace
from confluent_kafka import Consumer, TopicPartition

from hitl_events.adapters.kafka.admin import Admin
from hitl_events.adapters.kafka.clients import new_admin
from hitl_events.adapters.kafka.records import Outgoing, Place
from hitl_events.adapters.kafka.secret import Secret
from hitl_events.adapters.kafka.settings import KafkaSettings, Sasl, SaslMechanism
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.adapters.kafka.writer import TransactionalWriter
from tests.kafka.cluster import Cluster
from tests.kafka.security import ADMIN, Login

PARTITIONS = 2
VERIFIES = "transaction.partition.verification.enable"


def settings_of(
    cluster: Cluster,
    prefix: str,
    login: Login | None = None,
    mechanism: SaslMechanism | None = None,
) -> KafkaSettings:
    """As the environment would give them; on a secured cluster the admin's, or those of a login."""
    bootstrap = tuple(cluster.bootstrap.split(","))
    if cluster.security is None:
        return KafkaSettings(bootstrap=bootstrap, prefix=prefix, group=f"{prefix}-engine").checked()
    user = login or ADMIN
    sasl = Sasl(
        mechanism=mechanism or "SCRAM-SHA-512",
        username=user.name,
        password=Secret(user.password),
    )
    return KafkaSettings(
        bootstrap=bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl=sasl,
        prefix=prefix,
        group=f"{prefix}-engine",
    ).checked()


async def made(settings: KafkaSettings, partitions: int = PARTITIONS) -> Topics:
    """The topics of the prefix, created."""
    async with Admin(settings) as admin:
        await admin.create(partitions)
    return Topics(settings.prefix)


@asynccontextmanager
async def started(
    settings: KafkaSettings, partition: int = 0, *, within_s: float = 10.0
) -> AsyncGenerator[TransactionalWriter]:
    """The writer of a partition, stopped in the end."""
    topics = Topics(settings.prefix)
    writer = TransactionalWriter(settings, topics.transactional_id(partition), within_s=within_s)
    await writer.start(topics.owned(partition))
    try:
        yield writer
    finally:
        await writer.stop()


def event(topics: Topics, text: str, partition: int = 0) -> Outgoing:
    """A record for the events topic."""
    return Outgoing(place=Place(topics.events, partition), key=b"run", value=text.encode())


def committed(cluster: Cluster, group: str, place: Place) -> int:
    """The offset that the group has settled there, by an independent client."""
    asked = TopicPartition(place.topic, place.partition)
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": group})
    try:
        (found,) = consumer.committed([asked], timeout=30)
    finally:
        consumer.close()
    return int(found.offset)


async def left_open(
    writer: TransactionalWriter, record: Outgoing, *, unknown_to_coordinator: bool = False
) -> None:
    """A transaction that is begun and written to, and never ended: as if its process had died.

    One that the coordinator does not know is what a killed broker can leave behind.
    """
    producer: Any = writer._producer
    assert producer is not None
    await producer.begin_transaction()
    if unknown_to_coordinator:
        at = DriverPlace(*record.place)
        producer._txn_manager._txn_partitions.add(at)
    sent = await producer.send(
        record.place.topic, record.value, key=record.key, partition=record.place.partition
    )
    await sent
    producer._txn_manager._txn_partitions.clear()


async def acknowledged_elsewhere(writer: TransactionalWriter, record: Outgoing) -> None:
    """Goes on with a transaction that was left open, and commits it: as far as is known."""
    producer: Any = writer._producer
    sent = await producer.send(
        record.place.topic, record.value, key=record.key, partition=record.place.partition
    )
    await sent
    await producer.commit_transaction()


@asynccontextmanager
async def unverified(settings: KafkaSettings) -> AsyncGenerator[None]:
    """The broker takes records of transactions that their coordinator does not know."""
    admin: Any = new_admin(settings)
    await admin.start()
    try:
        await admin.alter_configs([_broker({VERIFIES: "false"})])
        async with asyncio.timeout(30):
            while await _broker_setting(admin, VERIFIES) != "false":
                pass
        yield
    finally:
        await admin.alter_configs([_broker({})])
        await admin.close()


@contextmanager
def frozen(cluster: Cluster) -> Generator[Callable[[], None]]:
    """How to stop the node as SIGSTOP does; it goes on in the end."""
    _only_ours(cluster)
    try:
        yield cluster.freeze
    finally:
        cluster.thaw()


@contextmanager
def killed(cluster: Cluster) -> Generator[Callable[[], None]]:
    """How to kill the node; it is started again in the end."""
    _only_ours(cluster)
    harmed = False

    def kill() -> None:
        nonlocal harmed
        harmed = True
        cluster.kill()

    try:
        yield kill
    finally:
        if harmed:
            cluster.start()


def _only_ours(cluster: Cluster) -> None:
    if not cluster.is_ours:
        pytest.skip("the named cluster is not ours to stop")


async def _broker_setting(admin: Any, name: str) -> str:
    (answer,) = await admin.describe_configs([_broker({name: ""})])
    (resource,) = answer.resources
    return str(resource[4][0][1])


def _broker(configs: dict[str, str]) -> ConfigResource:
    return ConfigResource(ConfigResourceType.BROKER, "1", configs=configs)
