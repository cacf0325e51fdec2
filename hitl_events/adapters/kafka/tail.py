"""Folds the end of the event log into a state file, a bounded piece of it at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from hitl_events.adapters.avro.peek import whose
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.adapters.kafka.state_rows import Change
from hitl_events.adapters.kafka.states import NOTHING, Noted, StateFile
from hitl_events.domain.values import RunId, digest
from hitl_events.engine.active import ActiveRun
from hitl_events.errors import CorruptLog
from hitl_events.ports import Codec, RunPosition

PIECE_EVENTS = 4_000
"""Folded at a time, with the runs that they belong to: about 10 MB."""
PIECE_BYTES = 16 * 1024 * 1024
"""Or so many bytes, where events are large."""


class Contradiction(Exception):
    """What is known beside the events does not fit them: begin with less. Stays in `restore`."""


class _Event(NamedTuple):
    offset: int
    seq: int
    value: bytes


class Tail:
    """Takes events in the order of the log; `end` when there are no more.

    `expected` are runs that the file knows from events which must still come: they may be there
    already when they do, and are skipped. `is_all`: nothing is known beside the events, so what
    does not fit is `CorruptLog`; else it is a `Contradiction`.
    """

    def __init__(
        self, states: StateFile, place: Place, codec: Codec, *, is_all: bool = False
    ) -> None:
        self.noted = NOTHING
        self.count = 0
        self.expected: dict[RunId, tuple[int, bytes]] = {}
        self._states = states
        self._place = place
        self._codec = codec
        self._is_all = is_all
        self._is_whole = False
        self._skips = False
        self._piece: list[tuple[int, bytes]] = []
        self._size = 0

    def begin(self, noted: Noted, *, is_whole: bool) -> None:
        """The file is true for `noted`, or (not `is_whole`) will be with the last of the tail."""
        self.noted = noted
        self._is_whole = is_whole

    def expect(self, heads: dict[RunId, tuple[int, bytes]]) -> None:
        """These heads (seq and digest) of runs have to be among the events."""
        self.expected = heads
        self._skips = True

    def add(self, record: Stored) -> None:
        """The next event."""
        if record.value is None:
            raise self._corrupt(record.offset, "expected an event, found no value")
        self._piece.append((record.offset, record.value))
        self._size += len(record.value)
        if len(self._piece) >= PIECE_EVENTS or self._size >= PIECE_BYTES:
            self.end()

    def end(self) -> None:
        """Fold what has been taken."""
        if not self._piece:
            return
        changes = self._folded(self._new(self._by_run()))
        offset, value = self._piece[-1]
        self.noted = replace(self.noted, events_end=offset + 1, last_digest=digest(value))
        self._states.write(changes, self.noted if self._is_whole else None)
        self.count += len(self._piece)
        self._piece, self._size = [], 0

    def _by_run(self) -> dict[RunId, list[_Event]]:
        found: dict[RunId, list[_Event]] = {}
        for offset, value in self._piece:
            try:
                run_id, seq = whose(value)
            except CorruptLog as error:
                raise self._corrupt(offset, error.problem) from None
            found.setdefault(run_id, []).append(_Event(offset, seq, value))
        return found

    def _new(self, by_run: dict[RunId, list[_Event]]) -> dict[RunId, list[_Event]]:
        """Without the events that the file holds already."""
        if not self._skips:
            return by_run
        held = self._states.held(by_run)
        found: dict[RunId, list[_Event]] = {}
        for run_id, events in by_run.items():
            self._confirm(run_id, events)
            known = held.get(run_id)
            its = [event for event in events if known is None or event.seq > known.seq]
            if its:
                found[run_id] = its
        return found

    def _confirm(self, run_id: RunId, events: Sequence[_Event]) -> None:
        seq, head = self.expected.get(run_id, (0, b""))
        for event in events:
            if event.seq == seq:
                if digest(event.value) != head:
                    raise Contradiction
                del self.expected[run_id]
                return

    def _folded(self, by_run: dict[RunId, list[_Event]]) -> list[Change]:
        held = self._states.load_now(by_run)
        return [
            Change(
                self._position(run_id, held.get(run_id, ()), events),
                [event.value for event in events],
                events[0].offset,
                events[-1].offset,
            )
            for run_id, events in by_run.items()
        ]

    def _position(
        self, run_id: RunId, before: Sequence[bytes], events: Sequence[_Event]
    ) -> RunPosition:
        active = ActiveRun(run_id)
        try:
            active.restore((*before, *(event.value for event in events)), self._codec)
        except CorruptLog:
            self._blame(run_id, before, events)
            raise
        position = active.position()
        # Events do not tell whether a step runs beside an open gate: only its recipe knows.
        return position if position.ended is not None else replace(position, busy=True)

    def _blame(self, run_id: RunId, before: Sequence[bytes], events: Sequence[_Event]) -> None:
        """Raise for the event that does not fit."""
        for event in events:
            try:
                self._codec.decode(event.value)
            except CorruptLog as error:
                raise self._corrupt(event.offset, error.problem) from None
        if not self._is_all:
            raise Contradiction
        active = ActiveRun(run_id)
        active.restore(before, self._codec)
        for event in events:
            try:
                active.restore([event.value], self._codec)
            except CorruptLog as error:
                raise self._corrupt(event.offset, error.problem, error.where) from None

    def _corrupt(self, offset: int, problem: str, where: str = "") -> CorruptLog:
        told = ", ".join(filter(None, (str(self._place), f"offset {offset}", where)))
        place = (self._place.topic, self._place.partition, offset)
        return CorruptLog(told, problem, place=place)
