"""Events of a topic by their run: they stand there as they were committed, runs interleaved.

They are spilled to a temporary file, so a topic of any length takes the memory of one run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.avro.primitives import write_varint
from hitl_events.adapters.avro.schemas import HEAD_BYTES, name_of
from hitl_events.adapters.kafka.records import Stored
from hitl_events.adapters.temporary import TemporaryTables
from hitl_events.domain.evolve import fold
from hitl_events.domain.state import next_due, status
from hitl_events.domain.values import RunId, digest, micros
from hitl_events.errors import CorruptLog
from hitl_events.ports import RunPosition

_RUNS_AT_ONCE = 200
"""Of a piece of `positions`: some thousand events to fold before progress is told."""

_TABLES = """
CREATE TABLE events (
    run_id TEXT NOT NULL,
    partition INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    value BLOB NOT NULL
);
CREATE TABLE runs (run_id TEXT PRIMARY KEY, started_us INTEGER NOT NULL) WITHOUT ROWID;
"""
# A run without its first event comes first, for whoever folds it to say so.
_INDEXES = """
CREATE INDEX events_by_run ON events (run_id);
INSERT OR IGNORE INTO runs SELECT DISTINCT run_id, -1 FROM events;
CREATE INDEX runs_by_start ON runs (started_us, run_id);
"""
_ADD = 'INSERT INTO events (run_id, partition, "offset", value) VALUES (?, ?, ?, ?)'
_START = "INSERT OR IGNORE INTO runs VALUES (?, ?)"
_PAGE = """SELECT started_us, run_id FROM runs WHERE (started_us, run_id) > (?, ?)
ORDER BY started_us, run_id LIMIT ?"""
_VALUES = "SELECT value FROM events WHERE run_id = ? ORDER BY rowid"
_PLACES = 'SELECT partition, "offset" FROM events WHERE run_id = ? ORDER BY rowid'
_STARTED = "SELECT 1 FROM runs WHERE run_id = ? AND started_us >= 0"
_COUNT = "SELECT count(*) FROM events"


class Spool:
    """Filled once (`add`, then `fold`), then read by run, as a log is: `load`, `positions`."""

    def __init__(self) -> None:
        self._codec = AvroCodec()
        self._tables = TemporaryTables(_TABLES)

    def add(self, records: Iterable[Stored]) -> None:
        """The next records of a partition, in their order."""
        rows = [_row(each) for each in records]
        starts = [self._start(each) for each in rows if name_of(each[3]) == "RunStarted"]
        self._tables.add(_ADD, rows)
        self._tables.add(_START, starts)

    def fold(self) -> None:
        """All is there: order it by run."""
        self._tables.script(_INDEXES)

    def close(self) -> None:
        """Forget all of it."""
        self._tables.close()

    async def load(self, run_ids: Iterable[RunId]) -> Mapping[RunId, tuple[bytes, ...]]:
        """The event values of each run that is there, in the order of the topic."""
        found = {run_id: tuple(self._values(run_id)) for run_id in dict.fromkeys(run_ids)}
        return {run_id: values for run_id, values in found.items() if values}

    async def positions(self) -> AsyncIterator[Sequence[RunPosition]]:
        """Every run's position by its events, in the order of their start, in pieces."""
        for piece in self._pages():
            yield [self._position(run_id) for run_id in piece]

    def run_ids(self) -> Iterator[RunId]:
        """Every run, in the order of their start."""
        for piece in self._pages():
            yield from piece

    async def end(self) -> int:
        """How many events there are."""
        return int(self._rows(_COUNT, ())[0][0])

    def snapshot(self) -> AbstractContextManager[None]:
        """It does not change any more."""
        return nullcontext()

    def has_starts(self, run_ids: Iterable[str]) -> bool:
        """Whether each of the runs is there from its first event on."""
        return all(self._rows(_STARTED, (run_id,)) for run_id in run_ids)

    def places(self, run_id: RunId) -> Sequence[tuple[int, int]]:
        """Partition and offset of each event of a run, in their order."""
        return self._rows(_PLACES, (run_id,))

    def _pages(self) -> Iterator[list[RunId]]:
        last: tuple[int, str] = (-2, "")
        while rows := self._rows(_PAGE, (*last, _RUNS_AT_ONCE)):
            last = rows[-1]
            yield [RunId(run_id) for _, run_id in rows]

    def _values(self, run_id: RunId) -> Iterator[bytes]:
        if not run_id.isascii():
            return
        for (held,) in self._rows(_VALUES, (run_id,)):
            if not is_of(held, run_id):
                problem = "expected events of this run under its key, found others"
                raise CorruptLog(f"run {run_id!r}", problem)
            yield held

    def _position(self, run_id: RunId) -> RunPosition:
        values = tuple(self._values(run_id))
        run = fold(map(self._codec.decode, values))
        assert run is not None
        return RunPosition(
            run_id=run_id,
            seq=run.seq,
            head=digest(values[-1]),
            status=status(run),
            due=next_due(run),
            busy=False,
        )

    def _start(self, row: tuple[str, int, int, bytes]) -> tuple[str, int]:
        return row[0], micros(self._codec.decode(row[3]).recorded_at)

    def _rows(self, sql: str, parameters: Sequence[object]) -> list[Any]:
        return list(self._tables.rows(sql, parameters))


def run_id_of(record: Stored) -> str | None:
    """The run of an event by its key; None where the key is no id."""
    try:
        return (record.key or b"").decode("ascii") or None
    except UnicodeDecodeError:
        return None


def is_of(data: bytes, run_id: str) -> bool:
    """Whether an event says that it is of this run: it begins with the Avro string of its id."""
    text = run_id.encode()
    # Avro doubles a length (zigzag) before it becomes a varint.
    return data.startswith(write_varint(2 * len(text)) + text, HEAD_BYTES)


def _row(record: Stored) -> tuple[str, int, int, bytes]:
    run_id = run_id_of(record)
    if run_id is None or record.value is None:
        where = f"{record.place}, offset {record.offset}"
        raise CorruptLog(where, "expected an event with the id of its run as key, found none")
    return run_id, record.place.partition, record.offset, record.value
