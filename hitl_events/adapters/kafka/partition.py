"""One owned partition of a cluster as the log that the runner drives: one transaction to a batch.

If the process dies before the transaction is committed nothing of it was; after it, and before the
local states are written, they are behind the log, which the next restore finds and mends.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias

from hitl_events.adapters.kafka.intake import FedIntake
from hitl_events.adapters.kafka.outgoing import Outbox
from hitl_events.adapters.kafka.records import Outgoing, Place
from hitl_events.adapters.kafka.writer import Consumed
from hitl_events.domain.values import RunId, value
from hitl_events.errors import LogUnavailable
from hitl_events.ports import Answer, Appended, EffectBatch, InboundRecord, RunPosition, RunStates

MARKERS = 1
"""Records that the broker adds to a partition at the end of a transaction."""


Heard: TypeAlias = Callable[[datetime], datetime]
"""Given when a timer is due: the moment up to which all that came to other partitions and is for
this one has come to its intake. Where that is earlier, it is found out meanwhile."""


class Writer(Protocol):
    """The partition's only writer; after an error the outcome is unknown and it is done with."""

    async def transaction(
        self, records: Sequence[Outgoing], consumed: Consumed | None = None
    ) -> Sequence[int]:
        """Write all records and settle the input, or nothing of it; the records' offsets."""
        ...


class Local(RunStates, Protocol):
    """The states that are kept beside the log (`StateFile`)."""

    def apply(
        self,
        events: Sequence[Appended],
        positions: Iterable[RunPosition],
        events_end: int,
        inputs: Mapping[str, int],
    ) -> None:
        """A batch that is in the log."""
        ...


class Search(Protocol):
    """Looks for records of others among events of ours."""

    async def __call__(self, start: int, own: Sequence[int]) -> None:
        """`CorruptLog` for the first committed one from `start` on to the last of our offsets."""
        ...


class Checkpoints(Protocol):
    """What is written to the log of the states, so that others can restore (`Checkpointer`)."""

    def records(self) -> Sequence[Outgoing]:
        """What to add to the next transaction."""
        ...

    def resting_records(self, now_s: float) -> Sequence[Outgoing]:
        """What to write by itself, in a moment without input."""
        ...

    def committed(self, run_ids: Iterable[RunId], events: int) -> None:
        """That transaction is in the log and in the states; it changed these runs."""
        ...


@value
class Kept:
    """The states of a partition, true up to `events_end`.

    `log_end` is where its topic of events ended before they were read: nobody else may write there.
    Where new events land further on `search` is asked: there may be a marker more, or a record.
    """

    local: Local
    checkpoints: Checkpoints
    events_end: int
    log_end: int
    search: Search


class KafkaPartition:
    """Appends, `RunStates` and `Intake`, valid until its writer fails or another takes over."""

    def __init__(
        self,
        group: str,
        writer: Writer,
        kept: Kept,
        intake: FedIntake,
        outbox: Outbox,
        heard: Heard,
    ) -> None:
        self._group = group
        self._writer = writer
        self._states = kept.local
        self._checkpoints = kept.checkpoints
        self._end = kept.events_end
        self._log_end = kept.log_end
        self._search = kept.search
        self._intake = intake
        self._outbox = outbox
        self._heard = heard

    async def append(self, batch: EffectBatch) -> None:
        """All of it in one transaction, the inbound offsets with it; then the local states."""
        intake = self._intake
        numbers = [number for number, _ in batch.settled]
        numbers += [forward.number for forward in batch.forwards]
        records = [*self._outbox.records(batch, intake.held), *self._checkpoints.records()]
        inputs = intake.offsets_after(numbers)
        offsets = await self._writer.transaction(records, self._consumed(inputs))
        intake.settle(numbers)
        intake.committed(inputs)
        if batch.events:
            await self._move(offsets[: len(batch.events)])
        self._states.apply(batch.events, batch.positions, self._end, inputs)
        self._checkpoints.committed(
            [position.run_id for position in batch.positions], len(batch.events)
        )

    async def rest(self, now_s: float) -> bool:
        """A piece of the checkpoints, and offsets that markers alone have moved; False for none."""
        records, passed = self._checkpoints.resting_records(now_s), await self._intake.passed()
        if not records and not passed:
            return False
        await self._writer.transaction(records, self._consumed(passed) if passed else None)
        if passed:
            self._intake.committed(passed)
            self._states.apply((), (), self._end, passed)
        self._checkpoints.committed((), 0)
        return True

    async def _move(self, offsets: Sequence[int]) -> None:
        """Past these events. What stands between them, or before them and is new, is not ours.

        The states stay behind a record that is found there, so that a restart finds it again.
        """
        first, last = offsets[0], offsets[-1]
        if first > self._log_end or last - first >= len(offsets):
            await self._search(self._log_end, offsets)
        self._end = last + 1
        self._log_end = self._end + MARKERS

    def _consumed(self, inputs: Mapping[str, int]) -> Consumed:
        partition = self._outbox.partition
        moved = {Place(topic, partition): offset for topic, offset in inputs.items()}
        return Consumed(group=self._group, offsets=moved)

    # RunStates

    def positions(self) -> AsyncIterator[Sequence[RunPosition]]:
        """Every run's position, in pieces."""
        return self._states.positions()

    async def load(self, run_ids: Iterable[RunId]) -> Mapping[RunId, tuple[bytes, ...]]:
        """The event values of each run that exists, or its end mark and what came after it."""
        return await self._states.load(run_ids)

    async def busy(self, limit: int) -> Sequence[RunId]:
        """Runs with steps to run."""
        return await self._states.busy(limit)

    async def due(self, now: datetime, limit: int) -> Sequence[RunId]:
        """Runs whose earliest timer is not later than `now`."""
        return await self._states.due(now, limit)

    async def next_due(self) -> datetime | None:
        """When the earliest timer of all runs is due."""
        return await self._states.next_due()

    # Intake

    async def put(self, record: InboundRecord) -> int:
        """Nobody submits through an owner: producers write to the topics."""
        raise LogUnavailable(
            "expected a producer on the inbound topics, found a call to their owner"
        )

    async def take(self, after: int, limit: int) -> Sequence[InboundRecord]:
        """The next of those that were fed."""
        return self._intake.take(limit)

    async def caught_up(self) -> bool:
        """True if all that the inbound topics hold now was fed."""
        return await self._intake.caught_up()

    def heard(self, due: datetime, now: datetime) -> datetime:
        """Decisions that came by this moment in other partitions were passed on to this one."""
        return min(self._heard(due), now)

    async def answer(self, offset: int) -> Answer | None:
        """Answers go out on the topic of replies; none is kept here."""
        return None

    def changed(self) -> bool:
        """True if something was fed since the last call."""
        return self._intake.changed()
