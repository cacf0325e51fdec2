"""The read model of a cluster: folded anew from the topic of events, or compared with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from contextlib import closing, contextmanager

from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.readmodel.database import Database
from hitl_events.adapters.readmodel.reader import Questions
from hitl_events.adapters.readmodel.targets import Target
from hitl_events.client.topic import EventTopic
from hitl_events.domain.values import RunId
from hitl_events.readmodel.rebuilding import rebuild
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store
from hitl_services.cli.topic_store import folded


async def rebuilt(screen: Screen, cluster: KafkaSettings, target: Target) -> int:
    """Fold all partitions; how many events the read model has then."""
    async with EventTopic.open(cluster) as topic:
        with progress(screen, "folding", topic.offsets) as told:
            await rebuild(topic.sources(), target, told)
    database = target.open()
    try:
        counters = Questions(database).counters().items()
        return sum(count for (name, _), count in counters if name == "events")
    finally:
        database.close()


@contextmanager
def facing(
    screen: Screen, settings: Settings, cluster: KafkaSettings, target: Target
) -> Generator[tuple[AsyncIterator[tuple[RunId, Sequence[bytes]]], Database]]:
    """The read model as it is now, and those events of the topic that it must have by now.

    `NoReadModel` where there is none: an empty one that is made here would say that there are no
    runs.
    """
    with closing(target.open(writable=False)) as database, database.snapshot():
        places = Questions(database).places()  # before the topic is read: that has them all
        with folded(screen, settings, cluster, None) as store:
            yield _folded_so_far(store, places), database


async def _folded_so_far(
    store: Store, places: Mapping[int, int]
) -> AsyncIterator[tuple[RunId, Sequence[bytes]]]:
    async for run_id, values in store.histories():
        spots = store.places(run_id, len(values))
        known = [
            value
            for value, (partition, offset) in zip(values, spots, strict=True)
            if partition is not None and offset is not None and offset < places.get(partition, 0)
        ]
        if known:
            yield run_id, known
