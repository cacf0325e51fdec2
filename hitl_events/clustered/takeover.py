"""The assignment steps of one partition, in the order on which its exactly-once rests.

Fence whoever had it and end what it left open; only then read: the state up to the last stable
offset, after it the committed offsets. What was read before the fence may be outdated at once.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from hitl_events.adapters.calls import submission
from hitl_events.adapters.inbound import Registry, WriterSchemas
from hitl_events.adapters.kafka.admin import Counts
from hitl_events.adapters.kafka.checkpoints import Checkpointer, Owned
from hitl_events.adapters.kafka.ends import Ends
from hitl_events.adapters.kafka.foreign import find_foreign
from hitl_events.adapters.kafka.group import Group
from hitl_events.adapters.kafka.intake import FedIntake
from hitl_events.adapters.kafka.lane import Lane
from hitl_events.adapters.kafka.outgoing import Outbox, Places
from hitl_events.adapters.kafka.partition import KafkaPartition, Kept
from hitl_events.adapters.kafka.partitioning import partition_of
from hitl_events.adapters.kafka.reader import Reader
from hitl_events.adapters.kafka.records import Place
from hitl_events.adapters.kafka.restore import Restored, restore
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.states import StateFile
from hitl_events.adapters.kafka.sweeper import Sweeper
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.adapters.kafka.writer import TransactionalWriter
from hitl_events.clustered.benches import Benches
from hitl_events.clustered.driven import Driven
from hitl_events.clustered.horizon import Horizon
from hitl_events.clustered.keeper import Watcher
from hitl_events.domain.values import RunId, value
from hitl_events.engine.tools import Tools
from hitl_events.errors import OffsetOutside
from hitl_events.ports import Clock
from hitl_events.runtime.observer import Observer
from hitl_events.runtime.runner import Pace, Runner

ASK_AFTER = timedelta(seconds=10)
"""After a takeover: the owner before begins no `once` step later than 5 s after its commit, and
who waits for the answer of its target has some seconds more."""

DRAIN_S = 2.0
"""What running steps may take to end and be recorded by us when the partition goes: it stands still
for as long, and what takes longer is reported to the next owner."""

POLL_S = 1.0

CACHED_RUNS_MAX = 128
"""Of each partition, as there are many: 1 MB. A run at rest is decided later, and read then."""


@value
class Setup:
    """What one process brings along; `tools` are those of partition 0.

    `ended_keep` is how long an ended run knows the ids of its refused decisions.
    """

    settings: KafkaSettings
    state_dir: Path
    tools: Tools
    counts: Counts
    ended_keep: timedelta
    clock: Clock
    watcher: Watcher
    observer: Callable[[int], Observer]
    registry: Registry | None


class Takeover:
    """Called with a partition, it gives what drives it, for as long as the block is open."""

    def __init__(
        self, setup: Setup, ends: Ends, inbound: Group, benches: Benches, horizon: Horizon
    ) -> None:
        self._setup = setup
        self._benches = benches
        self._topics = Topics(setup.settings.prefix)
        self._ends = ends
        self._inbound = inbound
        self._horizon = horizon
        self._count = setup.counts.runs

    @asynccontextmanager
    async def __call__(self, partition: int) -> AsyncGenerator[Driven]:
        """The block's end gives all back, bounded, in whatever state it is."""
        settings = self._setup.settings
        writer = TransactionalWriter(settings, self._topics.transactional_id(partition))
        try:
            await self._fence(writer, partition)
            states = self._states(partition)
            try:
                events = Place(self._topics.events, partition)
                async with Reader(settings) as reader:
                    _, log_end = await reader.bounds(events)  # what comes later is looked at then
                    checkpoints, found = await self._restored(states, reader, partition)
                offsets = await self._offsets(partition, found.inputs)
                kept = Kept(
                    local=states,
                    checkpoints=checkpoints,
                    events_end=found.events_end,
                    log_end=log_end,
                    search=partial(find_foreign, settings, events),
                )
                setup = self._setup
                sweeper = Sweeper(states, checkpoints, setup.clock, setup.ended_keep)
                runner, intake = self._runner(partition, writer, kept)
                intake.begin(offsets)
                begin = partial(self._inbound.feed_from, partition, offsets)
                driven = Driven(runner, intake, sweeper, begin)
                driven.gates = states.gates()
                yield driven
            finally:
                states.close()
        finally:
            self._benches.left(partition)
            self._horizon.forget(partition)
            self._inbound.cease(partition)
            await writer.stop()

    async def _fence(self, writer: TransactionalWriter, partition: int) -> None:
        topics = self._topics
        mine = [Place(topics.events, partition), Place(topics.checkpoints, partition)]
        shared = [Place(topic, at) for topic in topics.inbound for at in self._partitions]
        shared += [Place(topics.replies, at) for at in range(self._setup.counts.replies)]
        shared.append(Place(topics.dead_letters, partition % self._setup.counts.dead_letters))
        await writer.start([*mine, *shared])
        await writer.close_dangling(mine, self._ends, shared)

    @property
    def _partitions(self) -> range:
        return range(self._setup.counts.runs)

    def _states(self, partition: int) -> StateFile:
        setup, prefix = self._setup, self._topics.prefix
        identity = f"{setup.counts.cluster_id} {prefix} {partition} of {setup.counts.runs}"
        path = setup.state_dir / f"{prefix}-{partition}.db"
        return StateFile.open(path, identity, setup.tools.codec)

    async def _restored(
        self, states: StateFile, reader: Reader, partition: int
    ) -> tuple[Checkpointer, Restored]:
        owned = Owned(topics=self._topics, partition=partition, partitions=self._setup.counts.runs)
        found = await restore(states, reader, owned, self._setup.tools.codec)
        return Checkpointer(states, owned, found.strays), found

    async def _offsets(self, partition: int, noted: Mapping[str, int]) -> dict[str, int]:
        """Where to go on: as the group committed, else as was noted, else from the beginning."""
        committed = await self._inbound.committed(partition)
        offsets: dict[str, int] = {}
        for topic, span in (await self._inbound.spans(partition)).items():
            known = committed[topic]
            offset = noted.get(topic, span.start) if known is None else known
            if not span.start <= offset <= span.end:
                held, group = (span.start, span.end), self._setup.settings.group
                by = group if known is not None else None
                raise OffsetOutside(topic, partition, offset, held, by)
            offsets[topic] = offset
        return offsets

    def _runner(
        self, partition: int, writer: TransactionalWriter, kept: Kept
    ) -> tuple[Runner, FedIntake]:
        setup = self._setup
        keys = setup.tools.keys
        schemas = self._schemas()
        lanes = {} if schemas is None else self._lanes(partition, schemas)
        behind, fed = partial(self._behind, partition), partial(self._inbound.fed, partition)
        intake = FedIntake(self._topics, keys, behind, fed, lanes)
        places = Places(
            topics=self._topics,
            partition=partition,
            replies=setup.counts.replies,
            dead_letters=setup.counts.dead_letters,
        )
        outbox, heard = Outbox(places, keys), self._horizon.heard
        log = KafkaPartition(setup.settings.group, writer, kept, intake, outbox, heard)
        pace = Pace(drain_s=DRAIN_S, poll_s=POLL_S, cached_runs_max=CACHED_RUNS_MAX)
        tools, observer = self._tools(partition), setup.observer(partition)
        read = partial(submission, schemas=None if schemas is None else schemas.find)
        runner = Runner(log, tools, setup.clock, read, observer, pace)
        runner.work_at(self._benches.bench(partition))
        self._horizon.tell(partition, runner.nudge)
        return runner, intake

    def _schemas(self) -> WriterSchemas | None:
        """Of records in the Confluent frame, where there is a registry."""
        registry = self._setup.registry
        return None if registry is None else WriterSchemas(registry, self._setup.clock.monotonic_s)

    def _lanes(self, partition: int, schemas: WriterSchemas) -> dict[str, Lane]:
        watcher = self._setup.watcher
        return {
            topic: Lane(schemas, partial(watcher.held, partition, topic))
            for topic in self._topics.inbound
        }

    def _place(self, run_id: RunId) -> int:
        return partition_of(run_id, self._count)

    def _tools(self, partition: int) -> Tools:
        return replace(
            self._setup.tools,
            partition=partition,
            place=self._place,
            ask_from=self._setup.clock.now() + ASK_AFTER,
        )

    async def _behind(self, partition: int) -> dict[str, tuple[int, int]]:
        """Topic -> (position up to which it was fed, high watermark): open transactions count."""
        places = [Place(topic, partition) for topic in self._topics.inbound]
        high = await self._ends.high(places)
        fed = await self._inbound.positions(partition)
        return {place.topic: (fed[place.topic], high[place]) for place in places}
