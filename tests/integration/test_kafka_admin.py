"""Making the topics on a real broker: as the contract says, safe to repeat, never changed."""

from __future__ import annotations

import asyncio

import pytest

from hitl_events.adapters.kafka.admin import Admin, Difference
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.errors import InvalidInput, LogUnavailable, TopicDiffers, UnknownTopic
from tests.integration.engine import wait_until
from tests.integration.kafka_made import made, settings_of
from tests.kafka.client import KafkaException, NotPublished, publish
from tests.kafka.cluster import Cluster
from tests.kafka.records import Outgoing

DAY_MS = 86_400_000


async def test_the_topics_are_as_the_contract_says(broker: Cluster, prefix: str) -> None:
    """Six topics of one partition count; clean-up, retention, time and safety of each."""
    async with Admin(settings_of(broker, prefix)) as admin:
        states = await admin.create(3)
        partitions = await admin.partitions()

    topics, theirs = Topics(prefix), broker.client().admin
    assert [(each.name, each.created, each.partitions) for each in states] == [
        (name, True, 3) for name in topics.all
    ]
    assert (partitions.runs, partitions.replies, partitions.dead_letters) == (3, 3, 3)
    assert {name: count for name, count in theirs.topics().items() if name in topics.all} == (
        dict.fromkeys(topics.all, 3)
    )
    kept = {
        topics.commands: ("delete", 7 * DAY_MS, "LogAppendTime"),
        topics.decisions: ("delete", 30 * DAY_MS, "LogAppendTime"),
        topics.events: ("delete", -1, "CreateTime"),
        topics.replies: ("delete", DAY_MS, "CreateTime"),
        topics.dead_letters: ("delete", 90 * DAY_MS, "CreateTime"),
    }
    for name, wanted in kept.items():
        found = theirs.topic_configuration(name)
        assert (
            found["cleanup.policy"],
            int(found["retention.ms"]),
            found["message.timestamp.type"],
        ) == wanted
        assert (found["retention.bytes"], found["unclean.leader.election.enable"]) == (
            "-1",
            "false",
        )
    assert theirs.topic_configuration(topics.checkpoints)["cleanup.policy"] == "compact"


async def test_three_brokers_hold_three_copies(three_nodes: Cluster, prefix: str) -> None:
    """Without being told: two of three must hold a record before it counts."""
    async with Admin(settings_of(three_nodes, prefix)) as admin:
        await admin.create(1)

    found = three_nodes.client().admin.topic_configuration(f"{prefix}.events")
    assert found["min.insync.replicas"] == "2"


async def test_creating_is_safe_to_repeat(broker: Cluster, prefix: str) -> None:
    """Also for several at once; what is missing is made with the count of those there."""
    settings = settings_of(broker, prefix)

    async def create() -> None:
        async with Admin(settings) as admin:
            await admin.create(2)

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(create())
    theirs = broker.client().admin
    theirs.delete_topic(f"{prefix}.replies")
    wait_until(lambda: f"{prefix}.replies" not in theirs.topics(), "the topic goes")
    async with Admin(settings) as admin:
        with pytest.raises(UnknownTopic, match="replies"):
            await admin.partitions()
        states = await admin.create()
        again = await admin.create()

    assert [each.name for each in states if each.created] == [f"{prefix}.replies"]
    assert {each.partitions for each in states} == {2}
    assert not any(each.created or each.differences for each in again)


async def test_another_partition_count_is_refused(broker: Cluster, prefix: str) -> None:
    """Topic, found and expected are named, and nothing is made."""
    theirs = broker.client().admin
    theirs.create_topic(f"{prefix}.events", 2)

    async with Admin(settings_of(broker, prefix)) as admin:
        with pytest.raises(TopicDiffers, match=r"events' with 4 partitions, found 2") as caught:
            await admin.create(4)

    error = caught.value
    assert (error.topic, error.found, error.expected) == (f"{prefix}.events", 2, 4)
    assert f"{prefix}.commands" not in theirs.topics()


async def test_topics_that_disagree_are_told(broker: Cluster, prefix: str) -> None:
    """No number that could be asked for would fit all of them."""
    await made(settings_of(broker, prefix), 2)
    topics = Topics(prefix)
    theirs = broker.client().admin
    theirs.delete_topic(topics.events)
    wait_until(lambda: topics.events not in theirs.topics(), "the topic goes")
    theirs.create_topic(topics.events, 3)

    async with Admin(settings_of(broker, prefix)) as admin:
        for asking in (admin.partitions(), admin.create(3), admin.create()):
            with pytest.raises(TopicDiffers, match=r"as many .* as '.*commands', 2, found 3"):
                await asking


async def test_other_settings_are_told_and_left(broker: Cluster, prefix: str) -> None:
    """A topic that somebody made otherwise keeps what it has."""
    theirs = broker.client().admin
    theirs.create_topic(f"{prefix}.checkpoints", 1, retention_ms="5")

    async with Admin(settings_of(broker, prefix)) as admin:
        states = {each.name: each for each in await admin.create()}

    told = states[f"{prefix}.checkpoints"].differences
    assert Difference(setting="cleanup.policy", expected="compact", found="delete") in told
    assert theirs.topic_configuration(f"{prefix}.checkpoints")["cleanup.policy"] == "delete"


async def test_topics_with_fewer_copies_are_told_so(broker: Cluster, prefix: str) -> None:
    """They are not to be told to keep two in sync: with one copy nothing could be written then."""
    async with Admin(settings_of(broker, prefix)) as admin:
        await admin.create(1, replication=1)
        states = await admin.create(replication=3)

    fewer = Difference(setting="replicas", expected="3", found="1")
    assert [each.differences for each in states] == [(fewer,)] * len(states)


@pytest.mark.parametrize(
    ("partitions", "replication"), [(0, None), (-1, None), (1, 99), (1, 2**31)]
)
async def test_impossible_numbers_are_told(
    broker: Cluster, prefix: str, partitions: int, replication: int | None
) -> None:
    """No partitions, or more copies than brokers: one line, and nothing is made."""
    async with Admin(settings_of(broker, prefix)) as admin:
        with pytest.raises(InvalidInput):
            await admin.create(partitions, replication)

    assert f"{prefix}.events" not in broker.client().admin.topics()


async def test_inbound_takes_no_more_than_a_dead_letter_holds(broker: Cluster, prefix: str) -> None:
    """A small batch that holds a huge record is refused, so all that is taken can be kept."""
    async with Admin(settings_of(broker, prefix)) as admin:
        await admin.create(1)
    bomb = Outgoing(topic=f"{prefix}.decisions", value=b"0" * 5_000_000)
    client = broker.client()

    with (
        client.producer(message_max_bytes=10_000_000, compression_type="zstd") as producer,
        pytest.raises((NotPublished, KafkaException), match=r"(?i)too large"),
    ):
        publish(producer, [bomb])


async def test_a_broker_that_is_not_there_is_told_in_time(prefix: str) -> None:
    """No topics without a cluster: the variable is named."""
    from hitl_events.adapters.kafka.settings import KafkaSettings

    with pytest.raises(LogUnavailable, match="HITL_KAFKA_BOOTSTRAP"):
        async with Admin(KafkaSettings(bootstrap=("127.0.0.1:1",), prefix=prefix)):
            pass
