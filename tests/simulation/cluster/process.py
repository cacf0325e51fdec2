"""One process of a simulated cluster: all of an engine but its broker, which is a memory log."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from hitl_events.adapters.calls import submission
from hitl_events.adapters.inbound.proof import proven_channel
from hitl_events.adapters.kafka.partitioning import partition_of
from hitl_events.adapters.kafka.records import Outgoing, Place
from hitl_events.adapters.memory import MemoryLog
from hitl_events.clustered.benches import Benches
from hitl_events.clustered.cluster import Cluster
from hitl_events.clustered.courier import Courier
from hitl_events.clustered.keeper import Keeper
from hitl_events.domain.events import Source
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId
from hitl_events.engine.tools import Tools
from hitl_events.errors import HitlError, LogUnavailable, OutcomeUnknown
from hitl_events.ports import Clock, EffectBatch, InboundRecord
from hitl_events.runtime.observer import Quiet
from hitl_events.runtime.runner import Pace, Runner
from tests.simulation.cluster.trouble import Trouble

PARTITIONS = 3
ASK_AFTER = timedelta(seconds=10)
PACE = Pace(drain_s=2.0, poll_s=1.0, cached_runs_max=4)


def place_of(run_id: RunId) -> int:
    """The partition of a run."""
    return partition_of(run_id, PARTITIONS)


class Opening(MemoryLog):
    """A partition as one process has it: commits take time, fail, or end nobody knows how."""

    def __init__(self, storage: MemoryLog, number: int, clock: Clock, process: "Process") -> None:
        self._storage = storage._storage  # pyright: ignore[reportPrivateUsage]  # the same
        self._begin(number, clock)
        self._process = process

    async def append(self, batch: EffectBatch) -> None:
        fate = await self._process.trouble.fate()
        if fate == "refused" or self._process.dead:
            raise LogUnavailable("expected a broker that answers, found none")
        await super().append(batch)
        if fate == "unknown":
            raise OutcomeUnknown("expected an acknowledgement, found none")


class Process:
    """Lives until it is killed, or ends by itself. `owns` says what the group has given to it."""

    def __init__(
        self,
        storage: MemoryLog,
        tools: Tools,
        clock: Clock,
        trouble: Trouble,
        owns: Callable[["Process", int], bool],
    ) -> None:
        self.dead = False
        self.trouble = trouble
        self.cluster = Cluster()
        self.cluster.connect(self, self._keeper)
        self._storage = storage
        self._tools = tools
        self._keys: TokenKeys = tools.keys
        self._clock = clock
        self._owns = owns
        self._stop = asyncio.Event()
        self._life = asyncio.create_task(self._live())

    @property
    def ended(self) -> bool:
        """True once it is gone, killed or by its own decision."""
        return self._life.done()

    async def kill(self) -> None:
        """Nothing of it reaches the log any more."""
        self.dead = True
        self._life.cancel()
        await asyncio.wait([self._life])

    async def end(self) -> None:
        """As at SIGTERM."""
        self._stop.set()
        await self._life

    async def _live(self) -> None:
        courier = Courier(self._sender, self._place, self._keys, self._clock)
        try:
            async with courier, Benches(self._clock, courier.carry) as self._benches:
                await self.cluster.serve(self._stop)
        except HitlError:
            self.dead = True  # a supervisor starts another

    def _keeper(self, number: int) -> Keeper:
        return Keeper(number, self._take_over, self._confirm, Deaf(), self._clock)

    @asynccontextmanager
    async def _take_over(self, number: int) -> AsyncGenerator["Driven"]:
        opening = Opening(self._storage, number, self._clock, self)
        try:
            await self.trouble.call("fence the owner before")
            opening.usurp()
            assert opening.try_own()
            async with self.trouble.connected():
                await self.trouble.call("restore the runs")
            ask_from = self._clock.now() + ASK_AFTER
            tools = replace(self._tools, partition=number, place=place_of, ask_from=ask_from)
            runner = Runner(opening, tools, self._clock, submission, Quiet(), PACE)
            runner.work_at(self._benches.bench(number))
            yield Driven(runner)
        finally:
            self._benches.left(number)
            opening.release()

    async def _confirm(self, number: int) -> None:
        if not self._owns(self, number):
            raise LogUnavailable("expected to have the partition, found that another has it")

    # what ends of steps are sent by

    def _place(self, run_id: RunId) -> Place:
        return Place("commands", place_of(run_id))

    @asynccontextmanager
    async def _sender(self) -> AsyncGenerator["Process"]:
        await self.trouble.call("open a sender")
        yield self

    async def send(self, record: Outgoing) -> int:
        """Into the intake of whoever has the partition."""
        await self.trouble.call("send a record")
        if self.dead:
            raise LogUnavailable("expected to live, found a dead process")
        value, at_ms = record.value or b"", int(self._clock.monotonic_s() * 1000)
        source = Source(topic="commands", partition=0, offset=0, timestamp_ms=at_ms)
        channel = proven_channel(self._keys, record.headers, value) or "topic"
        sent = InboundRecord(kind="command", value=value, channel=channel, source=source)
        return await self._storage.partition(record.place.partition).put(sent)

    # the group, as far as it is not the world's

    @property
    def lags(self) -> Mapping[tuple[str, int], int]:
        """Nobody asks."""
        return {}

    async def start(self) -> None:
        """Nothing is to be joined."""

    async def pump(self) -> None:
        """Nothing is fed: the intake stands in the log."""
        await asyncio.Event().wait()

    def cease(self, partition: int) -> None:
        """Nothing is fed."""

    async def stop(self) -> None:
        """Nothing is to be left."""


class Driven:
    """What a keeper drives."""

    gates = None

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def serve(self) -> None:
        """Until `stop`."""
        await self._runner.serve()

    def stop(self) -> None:
        """After the current turn."""
        self._runner.stop()


class Deaf:
    """Whom keepers tell how their partitions fare."""

    def taken(self, partition: int, restore_s: float, gates: int | None) -> None:
        """Not heard."""

    def lost(self, partition: int, error: HitlError | None) -> None:
        """Not heard."""

    def held(self, partition: int, topic: str, error: HitlError | None) -> None:
        """Not heard."""
