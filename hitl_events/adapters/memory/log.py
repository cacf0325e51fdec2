"""The log in memory: the promises of the durable ones, with partitions, and crashes to order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from hitl_events.adapters import limits
from hitl_events.adapters.limits import TOPIC
from hitl_events.adapters.memory.storage import Crashed, CrashPoint, Partition, Plan
from hitl_events.adapters.memory.writing import BatchWriter
from hitl_events.adapters.system import SystemClock
from hitl_events.domain.events import Source
from hitl_events.domain.values import RunId, micros
from hitl_events.errors import Fenced, InvalidInput, LogUnavailable, ReadOnlyLog
from hitl_events.ports import (
    Answer,
    Clock,
    DeadLetter,
    EffectBatch,
    InboundRecord,
    RunPosition,
    StoredEvent,
)

_PIECE_EVENTS = 256


class MemoryLog:
    """`EventLog`, `RunStates`, `Intake` and `DeadLetters` of one partition, without a file.

    An object of this class is one process's opening. `reopen` and `partition` give further ones of
    the same storage, which lives as long as any of them: to restart is to drop one and reopen.
    """

    def __init__(self, partitions: int = 1, *, clock: Clock | None = None) -> None:
        if partitions < 1:
            raise InvalidInput(f"expected at least one partition, found {partitions}")
        self._storage = [Partition() for _ in range(partitions)]
        self._begin(0, clock or SystemClock())

    def _begin(self, number: int, clock: Clock) -> None:
        self.number = number
        self._clock = clock
        self._held = self._storage[number]
        self._epoch: int | None = None
        self._seen_version = self._held.version
        self._plan: Plan | None = None
        self._is_dead = False

    # openings and what may befall them

    @property
    def partitions(self) -> int:
        """How many there are in this storage."""
        return len(self._storage)

    def reopen(self) -> MemoryLog:
        """The same partition as a new process opens it; this opening stays what it is."""
        return self.partition(self.number)

    def partition(self, number: int) -> MemoryLog:
        """A new opening of another partition of the same storage."""
        other = object.__new__(MemoryLog)
        other._storage = self._storage
        other._begin(number, self._clock)
        return other

    def crash_at(self, point: CrashPoint, nth: int = 1) -> None:
        """Die in the `nth` append from now: with nothing of it written, or with all of it.

        `append` raises `Crashed`, and so does every later call; the ownership is free at once.
        """
        self._plan = Plan(point, nth)

    def refuse_at(self, nth: int = 1) -> None:
        """Raise `LogUnavailable` from the `nth` append from now, as a full disk does; live on."""
        self._plan = Plan("refused", nth)

    def usurp(self) -> None:
        """Free the partition although its owner lives and does not know: as an expired lease."""
        self._held.owner = None

    # ownership

    @property
    def owned(self) -> bool:
        """Whether this opening owns the partition, as far as it knows."""
        return self._epoch is not None

    @property
    def imported(self) -> bool:
        """Whether it was imported for reading: nothing may run in it."""
        return self._live().imported

    def try_own(self) -> bool:
        """Become the owner unless another opening is; a crashed one is none. Never waits."""
        held = self._live()
        if self._epoch is None:
            self._refuse_if_imported(held)
            if held.owner is not None:
                return False
            held.owner = self
            held.epoch += 1
            self._epoch = held.epoch
        return True

    def release(self) -> None:
        """Give the ownership back."""
        self._epoch = None
        if self._held.owner is self:
            self._held.owner = None

    def changed(self) -> bool:
        """Whether another opening has written since the last call, or the opening."""
        version = self._live().version
        before, self._seen_version = self._seen_version, version
        return version != before

    def heard(self, due: datetime, now: datetime) -> datetime:
        """There is no other intake."""
        return now

    async def rest(self, now_s: float) -> bool:
        """Nothing waits for that."""
        return False

    def close(self) -> None:
        """Give the ownership back; the storage stays."""
        self.release()

    # EventLog

    async def append(self, batch: EffectBatch) -> None:
        held = self._live()
        self._check_owner(held)
        point = self._what_befalls()
        if point == "refused":
            raise LogUnavailable("expected room for a batch, found none (as planned by refuse_at)")
        if point == "before_commit":
            self._die()
        BatchWriter(held, batch).write()
        self._wrote(held)
        if point == "after_commit":
            self._die()

    async def fill(self, batches: Iterable[EffectBatch]) -> None:
        """Load exported events into an empty log, all or none; then it is only for reading."""
        held = self._live()
        self._check_owner(held)
        if held.events:
            message = f"expected an empty log, found {len(held.events)} events"
            raise InvalidInput(f"{message}: import into a new one")
        filled = Partition(epoch=held.epoch, imported=True, version=held.version)
        for batch in batches:
            BatchWriter(filled, batch).write()
        self._storage[self.number] = self._held = filled
        self.release()

    def read(self, start: int = 0) -> AsyncIterator[Sequence[StoredEvent]]:
        events = self._live().events
        return self._pieces(events, max(start, 0), len(events))

    async def _pieces(
        self, events: Sequence[StoredEvent], start: int, end: int
    ) -> AsyncIterator[Sequence[StoredEvent]]:
        for at in range(start, end, _PIECE_EVENTS):
            yield events[at : min(at + _PIECE_EVENTS, end)]

    async def end(self) -> int:
        return len(self._live().events)

    # RunStates

    async def load(self, run_ids: Iterable[RunId]) -> Mapping[RunId, tuple[bytes, ...]]:
        held = self._live()
        return {
            run_id: tuple(held.events[at].value for at in held.offsets[run_id])
            for run_id in run_ids
            if run_id in held.offsets
        }

    async def busy(self, limit: int) -> Sequence[RunId]:
        found = (each.run_id for each in self._live().positions.values() if each.busy)
        return list(islice(found, limit))

    async def due(self, now: datetime, limit: int) -> Sequence[RunId]:
        timers = [(due, run_id) for due, run_id in self._timers() if due <= now]
        return [run_id for _, run_id in sorted(timers, key=_first)[:limit]]

    async def next_due(self) -> datetime | None:
        return min((due for due, _ in self._timers()), default=None)

    async def positions(self) -> AsyncIterator[Sequence[RunPosition]]:
        every = list(self._live().positions.values())
        for at in range(0, len(every), _PIECE_EVENTS):
            yield every[at : at + _PIECE_EVENTS]

    def _timers(self) -> list[tuple[datetime, RunId]]:
        every = self._live().positions.values()
        return [(each.due, each.run_id) for each in every if each.due is not None]

    # Intake

    async def put(self, record: InboundRecord) -> int:
        held = self._live()
        size = limits.checked_size(record)
        self._refuse_if_imported(held)
        if limits.may_be_full(held.intake_end + 1, len(held.intake)):
            limits.check_room(
                len(held.intake), sum(map(limits.size_of, held.intake.values())), size
            )
        offset = held.intake_end = held.intake_end + 1
        arrived_ms = micros(self._clock.now()) // 1000
        place = Source(topic=TOPIC, partition=self.number, offset=offset, timestamp_ms=arrived_ms)
        held.intake[offset] = replace(record, source=place, number=offset)
        self._wrote(held)
        return offset

    async def take(self, after: int, limit: int) -> Sequence[InboundRecord]:
        waiting = self._live().intake
        return [waiting[offset] for offset in islice((n for n in waiting if n > after), limit)]

    async def caught_up(self) -> bool:
        return True

    async def answer(self, offset: int) -> Answer | None:
        return self._live().answers.get(offset)

    # DeadLetters

    async def list(self, limit: int) -> Sequence[tuple[int, DeadLetter]]:
        return list(islice(reversed(self._live().dead_letters.items()), max(limit, 0)))

    async def discard(self, number: int) -> bool:
        held = self._live()
        found = held.dead_letters.pop(number, None) is not None
        self._wrote(held)
        return found

    def _live(self) -> Partition:
        """The storage, for the living."""
        if self._is_dead:
            raise Crashed
        held = self._held = self._storage[self.number]
        return held

    def _wrote(self, held: Partition) -> None:
        held.version += 1
        self._seen_version += 1

    def _what_befalls(self) -> str | None:
        plan = self._plan
        if plan is None:
            return None
        plan.nth -= 1
        if plan.nth > 0:
            return None
        self._plan = None
        return plan.point

    def _die(self) -> None:
        self.release()
        self._is_dead = True
        raise Crashed

    def _check_owner(self, held: Partition) -> None:
        if self._epoch != held.epoch:
            self.release()
            raise Fenced("expected the owner of the partition, found one that is not: own it again")
        self._refuse_if_imported(held)

    def _refuse_if_imported(self, held: Partition) -> None:
        if held.imported:
            raise ReadOnlyLog(
                "expected a log that may run, found one that was imported for reading"
            )


def _first(timer: tuple[datetime, RunId]) -> datetime:
    return timer[0]
