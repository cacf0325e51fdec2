"""A cluster of one partition in memory, and its owner: what state, checkpoints and restore need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.kafka.checkpoints import QUIET_S, Checkpointer, Owned
from hitl_events.adapters.kafka.records import Outgoing, Place, Stored
from hitl_events.adapters.kafka.restore import Restored, restore
from hitl_events.adapters.kafka.states import StateFile
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.domain.events import DecisionRejected, Event
from hitl_events.domain.values import NO_DIGEST, RunId, digest
from hitl_events.engine.active import ActiveRun
from hitl_events.ports import Appended, RunPosition
from hitl_events.testing.histories import history_of

CODEC = AvroCodec()
OWNED = Owned(topics=Topics("hitl"), partition=3, partitions=12)
IDENTITY = "cluster|hitl|3|12"


class CommittedLog:
    """Places with their committed records; each transaction leaves a marker behind its records."""

    def __init__(self) -> None:
        self.records: dict[Place, list[Stored]] = {OWNED.events: [], OWNED.checkpoints: []}
        self.ends: dict[Place, int] = {OWNED.events: 0, OWNED.checkpoints: 0}

    async def bounds(self, place: Place) -> tuple[int, int]:
        """From 0 to the last stable offset."""
        return 0, self.ends[place]

    async def read(self, place: Place, start: int | None = None) -> AsyncIterator[Sequence[Stored]]:
        """Pieces of three, so that their edges fall anywhere."""
        found = [each for each in self.records[place] if each.offset >= (start or 0)]
        for at in range(0, len(found), 3):
            yield found[at : at + 3]

    async def at(self, place: Place, offset: int) -> Stored | None:
        """The record there."""
        return next((each for each in self.records[place] if each.offset == offset), None)

    def commit(self, records: Iterable[Outgoing]) -> int:
        """A transaction; returns the offset after its last event."""
        events_end = self.ends[OWNED.events]
        written: set[Place] = set()
        for record in records:
            place, offset = record.place, self.ends[record.place]
            stored = Stored(
                place=place, offset=offset, timestamp_ms=0, key=record.key, value=record.value
            )
            self.records[place].append(stored)
            self.ends[place] += 1
            written.add(place)
            if place == OWNED.events:
                events_end = offset + 1
        for place in written:
            self.ends[place] += 1
        return events_end

    def compact(self, random: Random) -> None:
        """What the cleaner may do: drop records with a later one of the same key, at some place."""
        records = self.records[OWNED.checkpoints]
        upto = random.randint(0, len(records))
        latest = {record.key: record.offset for record in records[:upto]}
        self.records[OWNED.checkpoints] = [
            record
            for number, record in enumerate(records)
            if number >= upto or latest[record.key] == record.offset
        ]

    def cut(self, place: Place, end: int) -> None:
        """Lose what is at or behind an offset, as a broken broker does."""
        self.records[place] = [each for each in self.records[place] if each.offset < end]
        self.ends[place] = end


class Owner:
    """Who owns the partition: commits batches, crashes, takes over."""

    def __init__(self, log: CommittedLog, path: Path) -> None:
        self.log = log
        self.path = path
        self.states = StateFile.open(path, IDENTITY, CODEC)
        self.restored: Restored | None = None
        self.checkpointer: Checkpointer | None = None

    async def take_over(self) -> Restored:
        """As on assignment: restore, then go on."""
        found = self.restored = await restore(self.states, self.log, OWNED, CODEC)
        self.checkpointer = Checkpointer(self.states, OWNED, found.strays)
        return found

    def commit(
        self, events: Sequence[Appended], positions: Sequence[RunPosition], *, dies: bool = False
    ) -> None:
        """One batch with its checkpoints; `dies` before the state file hears of it."""
        assert self.checkpointer is not None
        checkpoints = self.checkpointer.records()
        end = self.log.commit([*map(as_record, events), *checkpoints])
        if not dies:
            inputs = {"hitl.decisions": 10 * end}
            self.states.apply(events, positions, end, inputs)
            self.checkpointer.committed([each.run_id for each in positions], len(events))

    def rest(self, now_s: float, *, dies: bool = False) -> None:
        """A second without input; `dies` before the state file hears of what was written."""
        assert self.checkpointer is not None
        records = self.checkpointer.resting_records(now_s)
        self.log.commit(records or self.checkpointer.resting_records(now_s + QUIET_S))
        if not dies:
            self.checkpointer.committed((), 0)

    def die(self) -> None:
        """The process ends; what it had open is closed."""
        self.states.close()


def as_record(appended: Appended) -> Outgoing:
    """An event as it goes to its topic."""
    key = appended.event.run_id.encode()
    return Outgoing(place=OWNED.events, key=key, value=appended.value)


class Telling:
    """A history told event by event, under another run id."""

    def __init__(self, run_id: str, history: Sequence[Event]) -> None:
        self.run_id = RunId(run_id)
        self._left = list(history)
        self._head = NO_DIGEST
        self._active = ActiveRun(self.run_id)

    @property
    def over(self) -> bool:
        """Whether all of it was told."""
        return not self._left

    def tell(self, count: int) -> list[Appended]:
        """Its next events."""
        some, self._left = self._left[:count], self._left[count:]
        return [self._next(event) for event in some]

    def position(self) -> RunPosition:
        """Where it stands."""
        return self._active.position()

    def _next(self, event: Event) -> Appended:
        event = replace(event, run_id=self.run_id, prev_digest=self._head)
        value = CODEC.encode(event)
        self._head = digest(value)
        self._active.restore([value], CODEC)
        return Appended(event=event, value=value)


def ended_history(random: Random, *, refused: bool) -> tuple[Event, ...]:
    """All events of a run that is over, with refused decisions among them or without."""
    while True:
        history = history_of(random, ended=True)
        if any(isinstance(event, DecisionRejected) for event in history) == refused:
            return history
