"""A group on a real broker: what it feeds, and how far it says to be behind."""

import asyncio
from collections.abc import Mapping, Sequence

from hitl_events.adapters.kafka.group import Group
from hitl_events.adapters.kafka.records import Stored
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
