"""Fills an empty state file from the checkpoint topic, in pieces, as the compaction left it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from hitl_events.adapters.avro.schemas import name_of
from hitl_events.adapters.kafka.checkpoints import (
    PARTITION_MARKS,
    RUN_CHECKPOINTS,
    Owned,
    PartitionMark,
    RunCheckpoint,
    mark_key,
)
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.adapters.kafka.state_rows import Kept
from hitl_events.adapters.kafka.states import StateFile
from hitl_events.domain.events import DecisionReceived
from hitl_events.domain.mark import EndMark
from hitl_events.domain.values import RUN_ID, RunId, value
from hitl_events.errors import CorruptLog, PartitionsChanged
from hitl_events.ports import Codec, RunPosition


class Checkpoints(Protocol):
    """Reads the checkpoint topic."""

    def read(self, place: Place, start: int | None = None) -> AsyncIterator[Sequence[Stored]]:
        """All records to the last stable offset, in order, in pieces."""
        ...


@value
class Filled:
    """From which offset of the events the checkpoints leave off, and the inputs at that time."""

    offset: int
    inputs: Mapping[str, int]


async def fill(states: StateFile, reader: Checkpoints, owned: Owned, codec: Codec) -> Filled | None:
    """The runs of all checkpoints; None where they are not whole (yet).

    `PartitionsChanged` where they were written for another number of partitions.
    """
    filling = _Filling(states, owned, codec)
    async for piece in reader.read(owned.checkpoints):
        try:
            filling.take(piece)
        except CorruptLog:
            return None  # written by a later release, or damaged: the events tell the same
    mark = filling.mark
    if mark is None or filling.parts:
        return None
    return Filled(offset=mark.offset, inputs={each.topic: each.offset for each in mark.inputs})


def open_gates(values: Iterable[bytes], codec: Codec, before: int = 0) -> int:
    """How many gates of an active run are open after these events; `before` were open before.

    Most events are told by their head alone: a checkpoint topic may hold millions.
    """
    gates = before
    for value_ in values:
        match name_of(value_):
            case "GatePaused":
                gates += 1
            case "GateClosed":
                gates -= 1
            case "DecisionReceived":
                event = codec.decode(value_)
                gates -= isinstance(event, DecisionReceived) and event.resolution is not None
            case "CancelRequested":
                gates = 0
            case _:
                pass
    return gates


class _Part(NamedTuple):
    head: bytes
    chunks: int
    chunk: int
    events: int
    gates: int


class _Filling:
    """`parts` are the runs of which a chunk is still to come, with what it must be."""

    def __init__(self, states: StateFile, owned: Owned, codec: Codec) -> None:
        self.mark: PartitionMark | None = None
        self.parts: dict[RunId, _Part] = {}
        self._states = states
        self._owned = owned
        self._codec = codec
        self._mark_key = mark_key(owned.partition)
        self._runs: list[Kept] = []

    def take(self, piece: Sequence[Stored]) -> None:
        for record in piece:
            if record.value is None:
                self._gone((record.key or b"").decode())
            elif record.key == self._mark_key:
                self.mark = self._checked(record.value)
            else:
                self._run(record, record.value)
        self._write()

    def _gone(self, key: str) -> None:
        """A run that the log does not hold; a chunk that is gone fits its run no more by itself."""
        if RUN_ID.fullmatch(key):
            self._write()
            self._states.drop(RunId(key))
            self.parts.pop(RunId(key), None)

    def _write(self) -> None:
        if self._runs:
            self._states.put(self._runs)
            self._runs = []

    def _checked(self, raw: bytes) -> PartitionMark:
        mark = PARTITION_MARKS.decode(raw)
        if mark is None:
            where = f"{self._owned.checkpoints}, key {self._mark_key!r}"
            raise CorruptLog(where, "expected a PartitionMark, found another record")
        if mark.partitions != self._owned.partitions:
            topic = self._owned.topics.events
            raise PartitionsChanged(topic, self._owned.partitions, mark.partitions)
        return mark

    def _run(self, record: Stored, raw: bytes) -> None:
        mark = self._codec.decode_mark(raw)
        if mark is not None:
            self.parts.pop(mark.run_id, None)
            self._runs.append(_ended(mark, raw))
            return
        found = RUN_CHECKPOINTS.decode(raw)
        if found is None:
            where = f"{self._owned.checkpoints}, offset {record.offset}"
            raise CorruptLog(where, "expected a checkpoint, found another record")
        if found.chunk == 0:
            gates = open_gates(found.events, self._codec)
            self._runs.append(_active(found, gates))
            self.parts.pop(found.run_id, None)
            if found.chunks > 1:
                part = _Part(found.head, found.chunks, 1, len(found.events), gates)
                self.parts[found.run_id] = part
        else:
            self._more(found)

    def _more(self, found: RunCheckpoint) -> None:
        """The next chunk of a run; one of an older state of it has no place."""
        part = self.parts.get(found.run_id)
        if part is None or part[:3] != (found.head, found.chunks, found.chunk):
            return
        self._write()
        upto = part.events + len(found.events)
        gates = open_gates(found.events, self._codec, part.gates)
        self._states.extend(found.run_id, upto, found.events, gates)
        if found.chunk + 1 == found.chunks:
            del self.parts[found.run_id]
        else:
            self.parts[found.run_id] = _Part(part.head, part.chunks, found.chunk + 1, upto, gates)


def _active(found: RunCheckpoint, gates: int) -> Kept:
    position = RunPosition(
        run_id=found.run_id,
        seq=found.seq,
        head=found.head,
        status=found.status,
        due=found.due,
        busy=found.busy,
        gates=gates,
    )
    return Kept(position, found.first_offset, found.last_offset, found.chunks, None, found.events)


def _ended(mark: EndMark, raw: bytes) -> Kept:
    position = RunPosition(
        run_id=mark.run_id, seq=mark.seq, head=mark.head, status=mark.phase, due=None, busy=False
    )
    forget = mark.recorded_at if any(made.reason for made in mark.decisions) else None
    return Kept(position, mark.first_offset, mark.last_offset, 1, raw, (), forget)
