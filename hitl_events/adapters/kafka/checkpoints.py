"""The records of the checkpoint topic: runs, end marks and how far they go.

They are not compressed one by one: a mark of 210 bytes would not get smaller, three events by a
fifth. The producer's batches of them shrink to a quarter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from math import ceil

from hitl_events.adapters.avro.kept import KeptCodec
from hitl_events.adapters.kafka.records import Outgoing, Place
from hitl_events.adapters.kafka.state_rows import Kept
from hitl_events.adapters.kafka.states import NOTHING, Noted, StateFile
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.domain.values import RunId, value

CHUNK_BYTES = 900 * 1024
"""Events in one record: the largest one fits, and all of it into a batch of 1 MiB."""

EVENTS_BETWEEN = 20_000
"""From one round to the next. A restore folds what came after the beginning of the last whole one:
at most twice as many, in a second or two."""
RUNS_MIN = 32
"""In one transaction at the least: a slow partition ends a round too. 10 KB."""
RUNS_MAX = 1024
"""At the most: twice what a batch can change, so that a round ends under any load."""
BYTES_MAX = 2 * 1024 * 1024
"""No more runs are begun in a transaction after so many: 20 ms of a broker's time."""
RESTING_S = 5.0
"""From one round that begins in a moment without input to the next: what a new owner has to fold of
a partition that is not busy all the time came in these seconds."""
RUNS_RESTING = 128
"""In one transaction of such a moment: who decides meanwhile waits for it, some 10 ms."""
QUIET_S = 1.0
"""Where nothing came for so long one of these transactions follows the other."""
PIECE_S = 2.0
"""Before that one in so long: few of those who decide in a row meet one."""
_PIECE_RUNS = 16


@value
class Owned:
    """The partition in question, of how many."""

    topics: Topics
    partition: int
    partitions: int

    @property
    def events(self) -> Place:
        """Where its events stand."""
        return Place(self.topics.events, self.partition)

    @property
    def checkpoints(self) -> Place:
        """Where its checkpoints stand."""
        return Place(self.topics.checkpoints, self.partition)


@value
class RunCheckpoint:
    """An active run up to event `seq`, or chunk `chunk` of `chunks` of that."""

    run_id: RunId
    seq: int
    head: bytes
    status: str
    due: datetime | None = None
    busy: bool
    first_offset: int
    last_offset: int
    chunk: int
    chunks: int
    events: tuple[bytes, ...]


@value
class InputOffset:
    """Every record of this partition of an inbound topic below this offset is settled."""

    topic: str
    offset: int


@value
class PartitionMark:
    """Every event below `offset` is in a checkpoint of its run."""

    partition: int
    partitions: int
    offset: int
    inputs: tuple[InputOffset, ...]


RUN_CHECKPOINTS = KeptCodec(RunCheckpoint)
PARTITION_MARKS = KeptCodec(PartitionMark, InputOffset)


def mark_key(partition: int) -> bytes:
    """The key of a partition's mark; no run id has an `@`."""
    return b"@%d" % partition


def records_of(kept: Kept, place: Place) -> list[Outgoing]:
    """The records of one run, and tombstones for chunks of it that are there no more."""
    key = kept.position.run_id.encode()
    values: list[bytes | None] = [*_values(kept)]
    keys = [key, *(b"%s#%d" % (key, n) for n in range(1, max(len(values), kept.chunks)))]
    values += [None] * (len(keys) - len(values))
    return [
        Outgoing(place=place, key=each, value=value)
        for each, value in zip(keys, values, strict=True)
    ]


def _values(kept: Kept) -> Iterator[bytes]:
    if kept.mark is not None:
        yield kept.mark
        return
    position = kept.position
    chunks = list(_in_chunks(kept.values))
    for number, events in enumerate(chunks):
        yield RUN_CHECKPOINTS.encode(
            RunCheckpoint(
                run_id=position.run_id,
                seq=position.seq,
                head=position.head,
                status=position.status,
                due=position.due,
                busy=position.busy,
                first_offset=kept.first,
                last_offset=kept.last,
                chunk=number,
                chunks=len(chunks),
                events=tuple(events),
            )
        )


def _in_chunks(values: Iterable[bytes]) -> Iterator[Sequence[bytes]]:
    events: list[bytes] = []
    size = 0
    for value_ in values:
        if events and size + len(value_) > CHUNK_BYTES:
            yield events
            events, size = [], 0
        events.append(value_)
        size += len(value_)
    yield events


class _Rests:
    """Which moments without input are taken: all where it is quiet, few between inputs in a row.

    `stirred`: something came since the last of them. Who takes over has inputs to expect.
    """

    def __init__(self) -> None:
        self.stirred = True
        self._quiet_from_s = 0.0
        self._piece_from_s = 0.0
        self._round_from_s = 0.0

    def piece_at(self, now_s: float) -> bool:
        """Whether this one is for a piece."""
        if self.stirred:
            if now_s >= self._quiet_from_s:
                self._piece_from_s = now_s + PIECE_S
            self.stirred, self._quiet_from_s = False, now_s + QUIET_S
        if now_s < min(self._quiet_from_s, self._piece_from_s):
            return False
        self._piece_from_s = now_s + PIECE_S
        return True

    def round_at(self, now_s: float) -> bool:
        """Whether a round may begin in it."""
        if now_s < self._round_from_s:
            return False
        self._round_from_s = now_s + RESTING_S
        return True


class Checkpointer:
    """Spreads the checkpoints over the transactions. Made after `restore`, one per ownership.

    In each turn `records()` go into the transaction; after it and after `StateFile.apply`,
    `committed(...)`. After a failed transaction it is thrown away with everything else.

    Where nothing comes in, `resting_records(...)` are a transaction of their own.

    It goes in rounds: the runs that changed since the round before began are written, as they are
    by then, and last the mark: with the end of the events at which this round began.
    """

    def __init__(self, states: StateFile, owned: Owned, strays: Iterable[RunId] = ()) -> None:
        """`strays` are runs whose checkpoints have to go, as the log does not hold them."""
        self._strays = list(strays)
        self._states = states
        self._owned = owned
        self._changed: dict[RunId, None] = {}
        self._round: Iterator[RunId] | None = None
        self._pace = 0.0
        self._events = 0
        self._began = states.noted or NOTHING
        self._chunks: dict[RunId, int] = {}
        self._ends = False
        self._rests = _Rests()
        marked = self._began.marked
        if marked is None:
            # Never marked: all runs, but not all of their ids in memory.
            below = states.started_below(self._began.events_end)
            self._begin(below, states.count())
        else:
            self._changed = {run_id: None for run_id, _, _ in states.since(marked)}
            # what that mark says of the inputs is not known here: the first rest writes one anew
            self._began = replace(self._began, events_end=marked, inputs={})

    def records(self) -> list[Outgoing]:
        """What to add to the next transaction: at most `RUNS_MAX`, about `BYTES_MAX`."""
        if self._round is None:
            now = self._states.noted or NOTHING
            if now.events_end - self._began.events_end < EVENTS_BETWEEN:
                return []
            self._go_round(now)
        return self._next(min(max(ceil(self._pace * self._events), RUNS_MIN), RUNS_MAX))

    def resting_records(self, now_s: float) -> list[Outgoing]:
        """What to write in a moment without input; none where all is marked, or it is too soon."""
        if not self._rests.piece_at(now_s):
            return []
        if self._round is None:
            now = self._states.noted or NOTHING
            is_marked = not self._changed and now.inputs == self._began.inputs
            if is_marked or not self._rests.round_at(now_s):
                return []
            self._go_round(now)
        return self._next(RUNS_RESTING)

    def committed(self, run_ids: Iterable[RunId], events: int) -> None:
        """That transaction is in the log and in the state file: so many events, of these runs."""
        self._changed.update(dict.fromkeys(run_ids))
        self._rests.stirred |= events > 0
        self._events = events
        self._strays = []
        if self._chunks:
            self._states.wrote(self._chunks)
            self._chunks = {}
        if self._ends:
            noted = self._states.noted or NOTHING
            self._states.note(replace(noted, marked=self._began.events_end))
            self._round, self._ends = None, False

    @property
    def waiting(self) -> int:
        """How many runs have changed since the last round began."""
        return len(self._changed)

    def changed(self, run_ids: Iterable[RunId]) -> None:
        """The state file holds less of these runs than the topic: their next checkpoint is short.

        If the process dies before that, whoever restores from the topic forgets the same again.
        """
        self._changed.update(dict.fromkeys(run_ids))

    def _go_round(self, now: Noted) -> None:
        self._began = now
        self._begin(iter(self._changed), len(self._changed))
        self._changed = {}

    def _begin(self, run_ids: Iterator[RunId], count: int) -> None:
        """So fast that it is over when half of the events came that lie between two rounds."""
        self._round = run_ids
        self._pace = count / (EVENTS_BETWEEN / 2)

    def _next(self, quota: int) -> list[Outgoing]:
        assert self._round is not None
        place = self._owned.checkpoints
        records = [Outgoing(place=place, key=key.encode(), value=None) for key in self._strays]
        size = 0
        while quota > 0 and size < BYTES_MAX:
            some = list(islice(self._round, min(quota, _PIECE_RUNS)))
            if not some:
                records.append(self._mark())
                self._ends = True
                break
            quota -= len(some)
            for kept in self._states.kept(some):
                its = records_of(kept, place)
                size += sum(len(record.value or b"") for record in its)
                records += its
                if (count := _values_in(its)) != kept.chunks:
                    self._chunks[kept.position.run_id] = count
        return records

    def _mark(self) -> Outgoing:
        owned, began = self._owned, self._began
        mark = PartitionMark(
            partition=owned.partition,
            partitions=owned.partitions,
            offset=began.events_end,
            inputs=tuple(
                InputOffset(topic=topic, offset=offset)
                for topic, offset in sorted(began.inputs.items())
            ),
        )
        key, value_ = mark_key(owned.partition), PARTITION_MARKS.encode(mark)
        return Outgoing(place=owned.checkpoints, key=key, value=value_)


def _values_in(records: Iterable[Outgoing]) -> int:
    return sum(record.value is not None for record in records)
