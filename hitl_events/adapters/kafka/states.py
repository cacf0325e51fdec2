"""The keyed state of one owned partition: a local file that the log can make again at any time.

It is written only after the log: behind it or level with it, never ahead. Who took a partition over
brings it up to date (`restore`), whatever became of its last owner.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from hitl_events.adapters.kafka import state_rows as rows
from hitl_events.adapters.kafka.state_rows import Change, Held, Kept
from hitl_events.adapters.sqlite.file import LogFile
from hitl_events.domain.events import DecisionRejected
from hitl_events.domain.mark import mark_of, winners_only
from hitl_events.domain.values import RUN_ID, RunId, digest, micros, moment, value
from hitl_events.errors import CorruptLog, HitlError, InvalidInput, StateLost
from hitl_events.ports import Appended, Codec, RunPosition

_KEYS_PER_QUERY = 500
"""SQLite before 3.32 takes 999 parameters."""
_PAGE_ROWS = 1000

_HELD = "SELECT run_id, first, seq, head, last FROM runs WHERE run_id IN ({})"
_ADD = """INSERT OR REPLACE INTO runs
(run_id, seq, head, status, due_us, busy, gates, first, last, chunks, forget_us, mark)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_GO_ON = """UPDATE runs SET seq = ?, head = ?, status = ?, due_us = ?, busy = ?, gates = ?,
last = ?, forget_us = coalesce(?, forget_us), mark = coalesce(?, mark) WHERE first = ?"""
_ADD_EVENTS = "INSERT OR REPLACE INTO events (first, seq, data) VALUES (?, ?, ?)"
_DROP_EVENTS = "DELETE FROM events WHERE first = ?"
_KEPT = """SELECT run_id, seq, head, status, due_us, busy, gates, first, last, chunks, mark
FROM runs WHERE run_id IN ({})"""
_EVENTS = "SELECT first, data FROM events WHERE first IN ({}) ORDER BY first, seq"
_BUSY = "SELECT run_id FROM runs WHERE busy = 1 ORDER BY first LIMIT ?"
_DUE = "SELECT run_id FROM runs WHERE due_us <= ? ORDER BY due_us, first LIMIT ?"
_GATES = "SELECT total(gates) FROM runs WHERE gates > 0"
_NEXT_DUE = "SELECT min(due_us) FROM runs WHERE due_us IS NOT NULL"
_PAGE = """SELECT run_id, seq, head, status, due_us, busy, gates, first FROM runs
WHERE first > ? ORDER BY first LIMIT ?"""
_IDS_PAGE = "SELECT run_id, first FROM runs WHERE first > ? ORDER BY first LIMIT ?"
_SINCE = "SELECT run_id, seq, head FROM runs WHERE last >= ? ORDER BY last"
_TO_FORGET = "SELECT first, run_id, mark FROM runs WHERE forget_us < ? ORDER BY forget_us LIMIT ?"
_NOTE = "UPDATE meta SET whole = 1, events_end = ?, last_digest = ?, marked = ?"
_NOTE_INPUT = 'INSERT OR REPLACE INTO inputs (topic, "offset") VALUES (?, ?)'


@value
class Noted:
    """What a state file is true for.

    `events_end` is the offset after the last event that is in it, `last_digest` the SHA-256 of
    that event's value (None where there is none yet), `inputs` the offset to go on from by inbound
    topic, `marked` the offset of the last `PartitionMark` that is known to be in the log.
    """

    events_end: int
    last_digest: bytes | None
    inputs: Mapping[str, int]
    marked: int | None = None


NOTHING = Noted(events_end=0, last_digest=None, inputs={})


class StateFile:
    """`RunStates` over a SQLite file. `close` it; its methods never wait."""

    def __init__(self, file: LogFile, identity: str, codec: Codec) -> None:
        self._file = file
        self._identity = identity
        self._codec = codec
        self._noted = self._read_noted()

    @classmethod
    def open(cls, path: Path, identity: str, codec: Codec) -> Self:
        """The file at that path, if it is of this identity (cluster, prefix, partition, count).

        One of another version or identity, or damaged, is thrown away: a new one takes its place.
        `LogUnavailable` where none can be made or another process has it.
        """
        return cls(rows.open_file(path, identity), identity, codec)

    @property
    def noted(self) -> Noted | None:
        """What it is true for; None for one that is not filled (yet)."""
        return self._noted

    def clear(self) -> None:
        """Begin anew, with nothing in it."""
        path = self._file.path
        with suppress(HitlError):
            self._file.close()
        rows.discard(path)
        self._file = rows.open_file(path, self._identity)
        self._noted = None

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    # writing

    def apply(
        self,
        events: Sequence[Appended],
        positions: Iterable[RunPosition],
        events_end: int,
        inputs: Mapping[str, int],
    ) -> None:
        """A batch that is in the log, in one transaction of the file.

        `events_end` is the offset after its last event (unchanged where it has none); its events
        stand next to each other. `inputs` names the topics that moved. `ImpossibleHistory` where
        it does not go on from what the file holds; then nothing is changed.
        """
        values: dict[RunId, list[bytes]] = {}
        places: dict[RunId, tuple[int, int]] = {}
        for offset, each in enumerate(events, events_end - len(events)):
            run_id = each.event.run_id
            values.setdefault(run_id, []).append(each.value)
            places[run_id] = (places.get(run_id, (offset,))[0], offset)
        latest = {position.run_id: position for position in positions}
        if not values.keys() <= latest.keys():
            listed = ", ".join(values.keys() - latest.keys())
            raise InvalidInput(f"expected a position for each run of a batch, none for {listed}")
        changes = [
            Change(position, values.get(run_id, ()), *places.get(run_id, (0, 0)))
            for run_id, position in latest.items()
        ]
        before = self._noted or NOTHING
        noted = replace(before, events_end=events_end, inputs={**before.inputs, **inputs})
        if events:
            noted = replace(noted, last_digest=digest(events[-1].value))
        self.write(changes, noted)

    def write(self, changes: Sequence[Change], noted: Noted | None) -> None:
        """Changes of some runs, each once; they make the file true for `noted` (None: not yet)."""
        with self._sound(), self._file.transaction():
            self._write(changes)
            if noted is not None:
                self._note(noted)
        self._noted = noted or self._noted

    def note(self, noted: Noted) -> None:
        """The file is true for this."""
        self.write((), noted)

    def put(self, every: Iterable[Kept]) -> None:
        """Whole runs as checkpoints have them, in place of what was there."""
        every = list({kept.position.run_id: kept for kept in every}.values())
        with self._sound(), self._file.transaction():
            self._file.change(_DROP_EVENTS, [(kept.first,) for kept in every])
            self._file.change(_ADD, [rows.row_of(kept) for kept in every])
            packed = [
                (kept.first, len(kept.values), rows.pack(kept.values))
                for kept in every
                if kept.values
            ]
            self._file.change(_ADD_EVENTS, packed)

    def extend(self, run_id: RunId, seq: int, values: Sequence[bytes], gates: int) -> None:
        """Further events of a run that was `put` with its first ones, up to event `seq`.

        With them so many of its gates are open.
        """
        held = self.held([run_id])[run_id]
        with self._sound(), self._file.transaction():
            self._file.change(_ADD_EVENTS, [(held.first, seq, rows.pack(values))])
            self._file.change("UPDATE runs SET gates = ? WHERE first = ?", [(gates, held.first)])

    def drop(self, run_id: RunId) -> None:
        """Forget a run that the log does not hold."""
        with self._sound(), self._file.transaction():
            for known in self._held_now([run_id]).values():
                self._file.change(_DROP_EVENTS, [(known.first,)])
                self._file.change("DELETE FROM runs WHERE first = ?", [(known.first,)])

    def wrote(self, chunks: Mapping[RunId, int]) -> None:
        """How many records the checkpoint topic holds of these runs."""
        changed = [(count, run_id) for run_id, count in chunks.items()]
        with self._sound(), self._file.transaction():
            self._file.change("UPDATE runs SET chunks = ? WHERE run_id = ?", changed)

    def sweep(self, before: datetime, limit: int) -> list[RunId]:
        """Forget decisions that closed no gate, of up to `limit` runs that ended before then.

        Returns those runs: fewer than `limit` means that all are done.
        """
        with self._sound(), self._file.transaction():
            found = self._file.rows(_TO_FORGET, (micros(before), limit))
            changed = [(self._shortened(bytes(mark)), first) for first, _, mark in found]
            self._file.change("UPDATE runs SET forget_us = NULL, mark = ? WHERE first = ?", changed)
        return [RunId(run_id) for _, run_id, _ in found]

    # reading, for restore and checkpoints

    def held(self, run_ids: Iterable[RunId]) -> dict[RunId, Held]:
        """What is known of each of these that exists."""
        with self._sound():
            return self._held_now(run_ids)

    def kept(self, run_ids: Iterable[RunId]) -> list[Kept]:
        """All that is held of each of these that exists."""
        with self._sound():
            known = (run_id for run_id in run_ids if RUN_ID.fullmatch(run_id))
            return [
                kept for some in rows.in_pieces(known, _KEYS_PER_QUERY) for kept in self._kept(some)
            ]

    def since(self, offset: int) -> list[tuple[RunId, int, bytes]]:
        """Run, seq and head of those whose last event is at or after this offset of the log."""
        with self._sound():
            return [
                (RunId(run_id), seq, head)
                for run_id, seq, head in self._file.rows(_SINCE, (offset,))
            ]

    def started_below(self, offset: int) -> Iterator[RunId]:
        """All runs whose first event is below that offset, as they started, a page at a time."""
        for page in self._pages(_IDS_PAGE):
            for run_id, first in page:
                if first >= offset:
                    return
                yield RunId(run_id)

    def count(self) -> int:
        """How many runs there are."""
        with self._sound():
            return int(self._file.row("SELECT count(*) FROM runs")[0])

    def gates(self) -> int:
        """How many gates are open, in all runs."""
        with self._sound():
            return int(self._file.row(_GATES)[0])

    # RunStates

    async def load(self, run_ids: Iterable[RunId]) -> Mapping[RunId, tuple[bytes, ...]]:
        """The event values of each active run; of an ended one its end mark."""
        return self.load_now(run_ids)

    def load_now(self, run_ids: Iterable[RunId]) -> Mapping[RunId, tuple[bytes, ...]]:
        """The same, for those who are in no coroutine."""
        return {
            kept.position.run_id: kept.values if kept.mark is None else (kept.mark, *kept.values)
            for kept in self.kept(run_ids)
        }

    async def busy(self, limit: int) -> Sequence[RunId]:
        """Runs with steps to run, oldest first."""
        return self._run_ids(_BUSY, (limit,))

    async def due(self, now: datetime, limit: int) -> Sequence[RunId]:
        """Runs whose earliest timer is not later than `now`, earliest first."""
        return self._run_ids(_DUE, (micros(now), limit))

    async def next_due(self) -> datetime | None:
        """When the earliest timer of all runs is due."""
        with self._sound():
            (due_us,) = self._file.row(_NEXT_DUE)
        return None if due_us is None else moment(due_us)

    async def positions(self) -> AsyncIterator[Sequence[RunPosition]]:
        """Every run's position, in the order of their start, in pieces."""
        for page in self._pages(_PAGE):
            with self._sound():
                piece = self._file.decoded("runs", (row[:-1] for row in page), rows.position_of)
            yield piece

    # inside

    def _write(self, changes: Sequence[Change]) -> None:
        held = self._held_now([change.position.run_id for change in changes])
        added: list[tuple[object, ...]] = []
        going_on: list[tuple[object, ...]] = []
        over: list[tuple[int]] = []
        events: list[tuple[object, ...]] = []
        for change in changes:
            position, known = change.position, held.get(change.position.run_id)
            rows.check(position, known, len(change.values))
            first = known.first if known else change.first
            last = change.last if change.values else known.last if known else 0
            ended, forget_us = self._end(change, first, last)
            if known is None:
                added.append((position.run_id, *rows.columns(position), first, last, 0))
                added[-1] += (forget_us, ended)
            else:
                going_on.append((*rows.columns(position), last, forget_us, ended, first))
            if ended is None and change.values:
                events.append((first, position.seq, rows.pack(change.values)))
            elif ended is not None and known is not None:
                over.append((first,))
        self._file.change(_ADD, added)
        self._file.change(_GO_ON, going_on)
        self._file.change(_ADD_EVENTS, events)
        self._file.change(_DROP_EVENTS, over)

    def _end(self, change: Change, first: int, last: int) -> tuple[bytes | None, int | None]:
        """The end mark of a run that has ended, and whether there is something to forget in it."""
        run = change.position.ended
        if run is None:
            return None, None
        mark = mark_of(run, change.position.head, first, last)
        is_long = any(isinstance(made, DecisionRejected) for made in run.decisions.values())
        return self._codec.encode_mark(mark), micros(run.recorded_at) if is_long else None

    def _shortened(self, value: bytes) -> bytes:
        mark = self._codec.decode_mark(value)
        if mark is None:
            raise CorruptLog(str(self._file.path), "expected an end mark, found another record")
        return self._codec.encode_mark(winners_only(mark))

    def _kept(self, run_ids: list[RunId]) -> list[Kept]:
        found = self._file.rows_among(_KEPT, run_ids)
        firsts = [row[7] for row in found]
        events: dict[int, list[bytes]] = {first: [] for first in firsts}
        packed = self._file.rows_among(_EVENTS, firsts)
        for first, values in self._file.decoded("events", packed, rows.unpacked):
            events[first] += values
        return self._file.decoded("runs", found, lambda row: rows.kept_of(row, events[row[7]]))

    def _held_now(self, run_ids: Iterable[RunId]) -> dict[RunId, Held]:
        found: dict[RunId, Held] = {}
        for some in rows.in_pieces(run_ids, _KEYS_PER_QUERY):
            for run_id, *rest in self._file.rows_among(_HELD, some):
                found[RunId(run_id)] = Held(*rest)
        return found

    def _pages(self, sql: str) -> Iterator[list[Any]]:
        last = -1
        while True:
            with self._sound():
                page = self._file.rows(sql, (last, _PAGE_ROWS))
            if not page:
                return
            last = page[-1][-1]
            yield page

    def _run_ids(self, sql: str, parameters: Sequence[object]) -> list[RunId]:
        with self._sound():
            return [RunId(row[0]) for row in self._file.rows(sql, parameters)]

    def _note(self, noted: Noted) -> None:
        self._file.rows(_NOTE, (noted.events_end, noted.last_digest, noted.marked))
        self._file.change(_NOTE_INPUT, noted.inputs.items())

    def _read_noted(self) -> Noted | None:
        with self._sound():
            sql = "SELECT whole, events_end, last_digest, marked FROM meta"
            whole, events_end, last_digest, marked = self._file.row(sql)
            inputs = dict(self._file.rows('SELECT topic, "offset" FROM inputs'))
        if not whole:
            return None
        return Noted(events_end=events_end, last_digest=last_digest, inputs=inputs, marked=marked)

    @contextmanager
    def _sound(self) -> Generator[None, None, None]:
        """Throws a file away that SQLite finds damaged."""
        try:
            yield
        except CorruptLog as error:
            with suppress(HitlError):
                self._file.close()
            rows.discard(self._file.path)
            message = f"expected a sound state file {self._file.path}, found {error.problem}"
            raise StateLost(f"{message}: it was thrown away, the log makes a new one") from error
