"""What the log keeps by key of a run: its position and where its events are."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeAlias

from hitl_events.adapters.avro.primitives import write_varint
from hitl_events.adapters.sqlite.blocks import unpack
from hitl_events.adapters.sqlite.events import block_at
from hitl_events.adapters.sqlite.file import LogFile
from hitl_events.adapters.sqlite.spans import Span, decode, encode, spans_of
from hitl_events.domain.values import RunId, micros, moment
from hitl_events.errors import CorruptLog, ImpossibleHistory, InvalidInput
from hitl_events.ports import EffectBatch, RunPosition

Chosen: TypeAlias = Callable[[RunId], bool] | None
"""Which runs; None: all."""

_STATUSES = ("running", "paused", "blocked", "completed", "failed", "cancelled")
"""Stored by their index: only ever add at the end."""
_CODES = {status: code for code, status in enumerate(_STATUSES)}

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UUID_BYTES = 16
_AVRO_HEADER_BYTES = 10
_PAGE_ROWS = 1000
"""Rows of a piece of `positions`: 100 KB."""
_KEYS_CACHED = 4096
"""A run's key is wanted a few times within some batches; half a megabyte."""
_KEYS_PER_QUERY = 500
"""SQLite before 3.32 takes 999 parameters."""

_ADD = """INSERT INTO runs (run_id, seq, head, status, due_us, busy, spans)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO NOTHING"""
_GO_ON = """UPDATE runs SET seq = ?, head = ?, status = ?, due_us = ?, busy = ?,
spans = CAST(spans || ? AS BLOB) WHERE run_id = ? AND seq = ?"""
_STORED = "SELECT seq, spans FROM runs WHERE run_id = ?"
_WHOLE = "SELECT run, run_id, spans, seq FROM runs WHERE run_id IN ({})"
_BUSY = "SELECT run_id FROM runs WHERE busy = 1 ORDER BY run LIMIT ?"
_DUE = "SELECT run_id FROM runs WHERE due_us <= ? ORDER BY due_us, run LIMIT ?"
_NEXT_DUE = "SELECT min(due_us) FROM runs WHERE due_us IS NOT NULL"
_PAGE = """SELECT run, run_id, seq, head, status, due_us, busy FROM runs
WHERE run > ? ORDER BY run LIMIT ?"""
_LOST_KEYS = """SELECT run, run_id FROM runs AS held NOT INDEXED
WHERE (SELECT run FROM runs WHERE run_id = held.run_id) IS NOT held.run ORDER BY run"""
"""A lookup by the key for each row: 1 us."""
_SPANS_PAGE = "SELECT run, run_id, spans FROM runs WHERE run > ? ORDER BY run LIMIT ?"


class Runs:
    """`RunStates` over the tables `runs` and `blocks`."""

    _file: LogFile

    async def load(self, run_ids: Iterable[RunId]) -> Mapping[RunId, tuple[bytes, ...]]:
        offsets: list[tuple[int, RunId]] = []
        for run_id, spans in self._spans(run_ids):
            offsets += [(at, run_id) for start, n in spans for at in range(start, start + n)]
        offsets.sort()
        values: dict[RunId, list[bytes]] = {}
        for (_, run_id), value in zip(offsets, self._values(offsets), strict=True):
            values.setdefault(run_id, []).append(value)
        return {run_id: tuple(found) for run_id, found in values.items()}

    async def busy(self, limit: int) -> Sequence[RunId]:
        return self._run_ids(_BUSY, (limit,))

    async def due(self, now: datetime, limit: int) -> Sequence[RunId]:
        return self._run_ids(_DUE, (micros(now), limit))

    async def next_due(self) -> datetime | None:
        (due_us,) = self._file.row(_NEXT_DUE)
        return None if due_us is None else moment(due_us)

    async def positions(self, only: Chosen = None) -> AsyncIterator[Sequence[RunPosition]]:
        for page in self._chosen(_PAGE, only):
            yield self._file.decoded("runs", page, _position)

    async def offset_sums(self, only: Chosen = None) -> AsyncIterator[Sequence[tuple[RunId, int]]]:
        """Where the index leads for each run, as the sum of its offsets: what `verify` compares."""
        for page in self._chosen(_SPANS_PAGE, only):
            found = self._file.decoded("runs", page, _run_and_spans)
            yield [(run_id, sum(map(_sum_of, spans))) for run_id, spans in found]

    async def lost_keys(self) -> Sequence[RunId]:
        """Runs that the log has and does not find by their id: its index is damaged."""
        return self._file.decoded("runs", self._file.rows(_LOST_KEYS), _second_as_run_id)

    async def runs_in_block(
        self, first: int, count: int | None = None
    ) -> Mapping[RunId, tuple[int, ...]]:
        """Which events (run: seqs) stand in a block, readable or not. Reads the whole index."""
        end = first + (self._count(first) if count is None else count)
        found: dict[RunId, tuple[int, ...]] = {}
        for page in self._pages(_SPANS_PAGE):
            for run_id, spans in self._file.decoded("runs", page, _run_and_spans):
                seqs = _seqs_within(spans, first, end)
                if seqs:
                    found[run_id] = seqs
        return found

    def _count(self, first: int) -> int:
        row = self._file.row("SELECT count FROM blocks WHERE first = ?", (first,))
        return int(row[0]) if row else 1

    def _pages(self, sql: str) -> Iterator[list[Any]]:
        last = 0
        while rows := self._file.rows(sql, (last, _PAGE_ROWS)):
            last = rows[-1][0]
            yield rows

    def _chosen(self, sql: str, only: Chosen) -> Iterator[list[Any]]:
        """Pages with the rows of the chosen runs alone: the others are not decoded."""
        for page in self._pages(sql):
            if only is None:
                yield page
                continue
            run_ids = self._file.decoded("runs", page, _second_as_run_id)
            yield [row for row, run_id in zip(page, run_ids, strict=True) if only(run_id)]

    def _run_ids(self, sql: str, parameters: Sequence[object]) -> list[RunId]:
        return self._file.decoded("runs", self._file.rows(sql, parameters), _first_as_run_id)

    def _spans(self, run_ids: Iterable[RunId]) -> Iterator[tuple[RunId, list[Span]]]:
        """The stretches of each of the runs that exists."""
        keys = [key for run_id in dict.fromkeys(run_ids) if (key := _key(run_id)) is not None]
        for index in range(0, len(keys), _KEYS_PER_QUERY):
            some = keys[index : index + _KEYS_PER_QUERY]
            rows = self._file.rows_among(_WHOLE, some)
            yield from self._file.decoded("runs", rows, _whole_run)

    def _values(self, offsets: Sequence[tuple[int, RunId]]) -> Iterator[bytes]:
        """The event at each of the ascending offsets; no block is unpacked twice."""
        index = 0
        while index < len(offsets):
            at, run_id = offsets[index]
            row = block_at(self._file, at)
            if row is None:
                problem = f"expected its event at offset {at}, found no block that holds it"
                raise CorruptLog(f"{self._file.path}, run {run_id!r}", problem)
            first, count, _ = row
            stop = index
            while stop < len(offsets) and offsets[stop][0] < first + count:
                stop += 1
            values = unpack(row, str(self._file.path), offsets[stop - 1][0] - first + 1)
            for at, run_id in offsets[index:stop]:
                yield self._its(values[at - first], run_id, at)
            index = stop

    def _its(self, value: bytes, run_id: RunId, at: int) -> bytes:
        """The value, if it says that it is of this run: the index itself may be damaged."""
        if not value.startswith(_mark(run_id), _AVRO_HEADER_BYTES):
            problem = f"expected its event at offset {at}, found one of another run"
            raise CorruptLog(f"{self._file.path}, run {run_id!r}", problem)
        return value


def write_positions(file: LogFile, batch: EffectBatch, first: int) -> None:
    """Write the positions of a batch whose events get the offsets from `first` on.

    Each must go on from what the log holds of its run (`ImpossibleHistory`): so a stale or doubled
    batch changes nothing, whatever became of its writer.
    """
    spans = spans_of([each.event.run_id for each in batch.events], first)
    added: list[tuple[object, ...]] = []
    going_on: list[tuple[object, ...]] = []
    for run_id, position in {each.run_id: each for each in batch.positions}.items():
        its = spans.pop(run_id, [])
        before = position.seq
        for _, length in its:
            before -= length
        columns = _columns(position, encode(its))
        if its and before == 0:
            added.append((_known_key(run_id), *columns))
        else:
            going_on.append((*columns, _known_key(run_id), before))
    if spans:
        raise InvalidInput(f"expected a position for each run of a batch, found none for {spans}")
    if file.change(_ADD, added) != len(added):
        _refuse(file, [(row[0], row[1], row[-1], 0) for row in added])
    if file.change(_GO_ON, going_on) != len(going_on):
        _refuse(file, [(row[-2], row[0], row[-3], row[-1]) for row in going_on])


def _columns(position: RunPosition, spans: bytes) -> tuple[object, ...]:
    return (
        position.seq,
        position.head,
        _CODES[position.status],
        None if position.due is None else micros(position.due),
        int(position.busy),
        spans,
    )


def _refuse(file: LogFile, rows: Iterable[tuple[Any, Any, Any, Any]]) -> None:
    """Raise for the first row (key, seq, spans, seq before) that the log did not take."""
    for key, seq, spans, before in rows:
        stored = file.row(_STORED, (key,))
        if stored is None or stored[0] != seq or not stored[1].endswith(spans):
            held = stored[0] if stored else 0
            problem = f"expected a batch that goes on from event {held}, found one from {before}"
            raise ImpossibleHistory(_run_id(key), seq, problem)


@lru_cache(_KEYS_CACHED)
def _key(run_id: RunId) -> bytes | str | None:
    """The stored form: 16 bytes for a UUID, which saves 40 of 150 bytes of a run's row and index.

    None for an id that the log cannot hold, because it is not even text in UTF-8.
    """
    if _UUID.fullmatch(run_id):
        return bytes.fromhex(run_id.replace("-", ""))
    return run_id if run_id.isascii() else None


def _known_key(run_id: RunId) -> bytes | str:
    key = _key(run_id)
    if key is None:
        raise InvalidInput(f"expected a run id in ASCII, found {run_id!r}")
    return key


def _run_id(key: bytes | str) -> RunId:
    if isinstance(key, str):
        return RunId(key)
    if len(key) != _UUID_BYTES:
        raise ValueError(f"a run id of {len(key)} bytes")
    digits = key.hex()
    return RunId(f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}")


@lru_cache(_KEYS_CACHED)
def _mark(run_id: RunId) -> bytes:
    """How the body of each event of this run begins: the Avro string of its id."""
    text = run_id.encode()
    # Avro doubles a length (zigzag) before it becomes a varint.
    return write_varint(2 * len(text)) + text


def _first_as_run_id(row: Any) -> RunId:
    return _run_id(row[0])


def _second_as_run_id(row: Any) -> RunId:
    return _run_id(row[1])


def _run_and_spans(row: Any) -> tuple[RunId, list[Span]]:
    return _run_id(row[1]), decode(row[2])


def _whole_run(row: Any) -> tuple[RunId, list[Span]]:
    run_id, spans = _run_and_spans(row)
    found = sum(length for _, length in spans)
    if found != row[3]:
        raise ValueError(f"{found} events of run {run_id!r}, which has {row[3]}")
    return run_id, spans


def _position(row: Any) -> RunPosition:
    _, key, seq, head, status, due_us, busy = row
    if type(seq) is not int or type(head) is not bytes:
        raise TypeError(f"a run with the head {head!r} of event {seq!r}")
    return RunPosition(
        run_id=_run_id(key),
        seq=seq,
        head=head,
        status=_STATUSES[status],
        due=None if due_us is None else moment(due_us),
        busy=bool(busy),
    )


def _sum_of(span: Span) -> int:
    start, length = span
    return length * (2 * start + length - 1) // 2


def _seqs_within(spans: Iterable[Span], first: int, end: int) -> tuple[int, ...]:
    found: list[int] = []
    before = 0
    for start, length in spans:
        low, high = max(start, first), min(start + length, end)
        found += range(before + low - start + 1, before + high - start + 1)
        before += length
    return tuple(found)
