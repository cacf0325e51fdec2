"""A group on a real broker: what it feeds, and how far it says to be behind."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from hitl_events.adapters.kafka import group as module
from hitl_events.adapters.kafka.group import Group
from hitl_events.adapters.kafka.records import Stored
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.errors import LogUnavailable, OffsetOutside, UnknownTopic
from tests.integration.kafka_made import made, settings_of
from tests.kafka.cluster import Cluster
from tests.kafka.records import Outgoing

MORE = 50
LOOK_S = 0.05


class Full:
    """Takes the first piece of each partition, and is full then."""

    def __init__(self) -> None:
        self.records = 0
        self.fed = asyncio.Event()

    def feed(self, records: Sequence[Stored]) -> None:
        """So many more."""
        self.records += len(records)
        self.fed.set()

    @property
    def is_full(self) -> bool:
        """Once it has anything."""
        return self.records > 0

    def held(self, topic: str) -> int:
        """All came on one topic, and nothing of it is settled."""
        return self.records if topic.endswith(".decisions") else 0


class Members:
    """Has every partition fed from its beginning."""

    def __init__(self, full: Full) -> None:
        self._full = full
        self.group: Group

    async def assigned(self, partitions: frozenset[int]) -> None:
        """Feed them."""
        for partition in partitions:
            offsets: Mapping[str, int] = dict.fromkeys(self.group._topics, 0)
            self.group.feed_from(partition, offsets, self._full)

    async def revoked(self, partitions: frozenset[int]) -> None:
        """They go."""


async def test_the_lag_counts_what_is_not_read_while_a_partition_is_full(
    broker: Cluster, prefix: str
) -> None:
    """Whoever watches sees a partition fall behind that takes no more records."""
    settings = settings_of(broker, prefix)
    topics = await made(settings, 1)
    client, full = broker.client(), Full()
    members = Members(full)
    members.group = group = Group(settings, members, topics.inbound)
    decision = Outgoing(topic=f"{prefix}.decisions", value=b"{}")
    await asyncio.to_thread(client.publish, decision)

    await group.start()
    try:
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            pump = tasks.create_task(group.pump())
            await full.fed.wait()
            await asyncio.to_thread(client.publish, *[decision] * MORE)
            while group.lags.get((decision.topic, 0)) != 1 + MORE:
                await asyncio.wait([pump], timeout=LOOK_S)
            pump.cancel()
    finally:
        await group.stop()

    assert full.records == 1


async def test_the_lag_of_a_partition_that_is_not_fed_is_told(broker: Cluster, prefix: str) -> None:
    """One in trouble falls behind, and whoever watches sees by how much."""
    settings = settings_of(broker, prefix)
    topics = await made(settings, 1)
    client, place = broker.client(), (topics.decisions, 0)
    decision = Outgoing(topic=topics.decisions, value=b"{}", partition=0)
    await asyncio.to_thread(client.publish, *[decision] * 3)
    await asyncio.to_thread(client.admin.move_group, settings.group, *place, 2)

    async with _member(settings, topics.inbound) as (group, pump), asyncio.timeout(60):
        await asyncio.to_thread(client.publish, *[decision] * MORE)
        while group.lags.get(place) != 1 + MORE:
            await asyncio.wait([pump], timeout=LOOK_S)
        told = dict(group.lags)

    assert told == {place: 1 + MORE}


class Taking(Full):
    """Takes all that comes."""

    @property
    def is_full(self) -> bool:
        """Never."""
        return False


async def test_what_was_deleted_before_it_was_read_is_told(broker: Cluster, prefix: str) -> None:
    """Nobody goes on behind it as if nothing had been there: decisions were lost."""
    settings = settings_of(broker, prefix)
    topics = await made(settings, 1)
    client, taking = broker.client(), Taking()
    members = Members(taking)
    members.group = group = Group(settings, members, topics.inbound)
    decision = Outgoing(topic=topics.decisions, value=b"{}", partition=0)
    await asyncio.to_thread(client.publish, *[decision] * MORE)
    await asyncio.to_thread(client.admin.delete_records, topics.decisions, 0, MORE // 2)

    await group.start()
    try:
        async with asyncio.timeout(60):
            with pytest.raises(OffsetOutside, match=r"offset 0 .* found offsets 25 to 50"):
                await group.pump()
    finally:
        await group.stop()

    assert taking.records == 0


async def test_a_topic_that_was_deleted_is_told(
    broker: Cluster, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while: nobody waits for ever for what nobody can write."""
    monkeypatch.setattr(module, "GONE_S", 0.5)
    settings = settings_of(broker, prefix)
    topics = await made(settings, 1)
    async with _fed(broker, settings, topics.inbound) as (_, pump), asyncio.timeout(60):
        await asyncio.to_thread(broker.client().admin.delete_topic, topics.commands)

        with pytest.raises(UnknownTopic, match="run `hitl topics create`"):
            await pump


async def test_a_topic_that_is_made_anew_is_found(broker: Cluster, prefix: str) -> None:
    """Who was left without it has its partitions again at once, not minutes later."""
    settings = settings_of(broker, prefix)
    topics = await made(settings, 1)
    admin = broker.client().admin
    async with _fed(broker, settings, topics.inbound) as (group, pump), asyncio.timeout(60):
        await asyncio.to_thread(admin.delete_topic, topics.commands)
        while await _is_confirmed(group):
            await asyncio.wait([pump], timeout=LOOK_S)
        await asyncio.to_thread(admin.create_topic, topics.commands)

        while not await _is_confirmed(group):
            await asyncio.wait([pump], timeout=LOOK_S)


@asynccontextmanager
async def _fed(
    broker: Cluster, settings: KafkaSettings, topics: Sequence[str]
) -> AsyncGenerator[tuple[Group, asyncio.Task[None]], None]:
    """A group's member whose partitions are fed, and its pump."""
    taking = Taking()
    members = Members(taking)
    members.group = group = Group(settings, members, topics)
    await group.start()
    pump = asyncio.create_task(group.pump())
    try:
        await asyncio.to_thread(broker.client().publish, Outgoing(topic=topics[0], value=b"{}"))
        async with asyncio.timeout(60):
            await taking.fed.wait()
        yield group, pump
    finally:
        pump.cancel()
        await asyncio.wait([pump])
        await group.stop()


async def _is_confirmed(group: Group) -> bool:
    try:
        await group.confirm(0)
    except LogUnavailable:
        return False
    return True


class Nobody:
    """Feeds nothing; `gained` is set once there is a partition."""

    def __init__(self) -> None:
        self.gained = asyncio.Event()

    async def assigned(self, partitions: frozenset[int]) -> None:
        """They are ours."""
        if partitions:
            self.gained.set()

    async def revoked(self, partitions: frozenset[int]) -> None:
        """They go."""


@asynccontextmanager
async def _member(
    settings: KafkaSettings, topics: Sequence[str]
) -> AsyncGenerator[tuple[Group, asyncio.Task[None]], None]:
    """A group's member that has its partitions and feeds nobody, and its pump."""
    nobody = Nobody()
    group = Group(settings, nobody, topics)
    await group.start()
    try:
        pump = asyncio.create_task(group.pump())
        async with asyncio.timeout(60):
            await nobody.gained.wait()
        yield group, pump
        pump.cancel()
        await asyncio.wait([pump])
    finally:
        await group.stop()


@pytest.fixture
async def member(broker: Cluster, prefix: str) -> AsyncGenerator[Group]:
    """The only one, of one partition."""
    settings = settings_of(broker, prefix)
    topics = await made(settings, 1)
    async with _member(settings, topics.inbound) as (group, _):
        yield group


async def test_who_confirms_that_a_partition_is_theirs_moves_no_offset(member: Group) -> None:
    """Where offsets were deleted they stay so: from where to go on is known from elsewhere."""
    await member.confirm(0)

    assert set((await member.committed(0)).values()) == {None}


async def test_a_partition_of_somebody_else_can_not_be_confirmed(member: Group) -> None:
    """To be a member is not enough."""
    with pytest.raises(LogUnavailable, match="given it to another"):
        await member.confirm(1)


async def test_who_was_replaced_can_not_confirm(broker: Cluster, prefix: str) -> None:
    """The one that came under the same instance id has its partitions now."""
    settings = replace(settings_of(broker, prefix), group_instance_id="a")
    topics = await made(settings, 1)
    taken_from, taking = (_member(settings, topics.inbound) for _ in range(2))
    async with taken_from as (old, _), taking, asyncio.timeout(60):
        with pytest.raises(LogUnavailable, match="confirm the membership"):
            await old.confirm(0)
