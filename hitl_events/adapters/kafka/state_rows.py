"""The tables of a state file, what stands in their rows, and how such a file is found or begun."""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from hitl_events.adapters.sqlite.file import LogFile
from hitl_events.adapters.trouble import translated, unavailable
from hitl_events.domain.values import RunId, micros, moment
from hitl_events.errors import HitlError, ImpossibleHistory
from hitl_events.ports import RunPosition

VERSION = 2
"""Raise it with any change of the tables: a file of another version is thrown away."""
_ELSEWHERE = "name another folder in HITL_STATE_DIR"
_LOCK_WAIT_S = 1.0
"""Another process that has the file open keeps it for good."""
_CACHE_KIB = 2 * 1024
"""Of each partition. Run ids come in no order, and the index of a million has 60 MB: what is not
here is in the page cache of the system, 2 us away."""
_WAL_PAGES = 4096
"""16 MiB between two checkpoints of the write-ahead log, as in the embedded log."""

STATUSES = ("running", "paused", "blocked", "completed", "failed", "cancelled")
"""Stored by their index."""
CODES = {status: code for code, status in enumerate(STATUSES)}

_TABLES = f"""
PRAGMA user_version = {VERSION};
-- One row; `whole` once the file is true for `events_end`.
CREATE TABLE meta (
    identity TEXT NOT NULL,
    whole INTEGER NOT NULL,
    events_end INTEGER NOT NULL,
    last_digest BLOB,
    marked INTEGER
);
CREATE TABLE inputs (topic TEXT PRIMARY KEY, "offset" INTEGER NOT NULL) WITHOUT ROWID;

-- `first` is the offset of the run's first event: the order of their start. `last` is that of its
-- last one, `chunks` the number of its records in the checkpoint topic, as far as is known.
-- `mark` is there where the run has ended, `forget_us` where it can be shortened; `gates` are open.
CREATE TABLE runs (
    first INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    seq INTEGER NOT NULL,
    head BLOB NOT NULL,
    status INTEGER NOT NULL,
    due_us INTEGER,
    busy INTEGER NOT NULL,
    gates INTEGER NOT NULL,
    last INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    forget_us INTEGER,
    mark BLOB
);
CREATE INDEX runs_due ON runs (due_us) WHERE due_us IS NOT NULL;
CREATE INDEX runs_busy ON runs (first) WHERE busy = 1;
CREATE INDEX runs_gates ON runs (gates) WHERE gates > 0;
CREATE INDEX runs_last ON runs (last);
CREATE INDEX runs_forget ON runs (forget_us) WHERE forget_us IS NOT NULL;

-- The events of an active run (of an ended one: those after its mark), a row for each batch;
-- `seq` is that of the row's last event.
CREATE TABLE events (
    first INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (first, seq)
) WITHOUT ROWID;
"""

_OUT_OF_ORDER = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_SCHEMA,
    sqlite3.SQLITE_ERROR,  # a table or column is not there
}
_COUNT = struct.Struct("<I")


class Change(NamedTuple):
    """What a batch brings for one run: events at offsets `first` to `last`, and where it stands."""

    position: RunPosition
    values: Sequence[bytes]
    first: int
    last: int


class Held(NamedTuple):
    """What the file knows of a run, without its events."""

    first: int
    seq: int
    head: bytes
    last: int


class Kept(NamedTuple):
    """All that the file holds of a run; `values` are its events, or those after its `mark`.

    `forget` says, for one that is put, since when its mark may be shortened; None: it can not be.
    """

    position: RunPosition
    first: int
    last: int
    chunks: int
    mark: bytes | None
    values: tuple[bytes, ...]
    forget: datetime | None = None


def open_file(path: Path, identity: str) -> LogFile:
    """The file at this path if it is sound and of this identity, else a new one in its place."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Inputs and drafts are in it: nobody else's to read.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise unavailable(path, error, _ELSEWHERE) from error
    found = _found(path, identity)
    if found is not None:
        return found
    discard(path)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        return _made(path, identity)
    except OSError as error:
        raise unavailable(path, error, _ELSEWHERE) from error
    except sqlite3.Error as error:
        raise _ours(path, error) from error


class _Rows(LogFile):
    """What is wrong with the file is no matter of the log or the data directory."""

    def _ours(self, error: Exception) -> HitlError:
        return _ours(self.path, error)


def _ours(path: Path, error: Exception) -> HitlError:
    return translated(path, error, "the state", _ELSEWHERE)


def discard(path: Path) -> None:
    """Throw the file away, with all that SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        try:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        except OSError as error:
            raise unavailable(path, error, _ELSEWHERE) from error


def _found(path: Path, identity: str) -> LogFile | None:
    connection = sqlite3.connect(path, timeout=_LOCK_WAIT_S, isolation_level=None)
    try:
        _settle(connection)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == VERSION:
            rows = connection.execute("SELECT identity FROM meta").fetchall()
            if rows == [(identity,)]:
                return _Rows(connection, path)
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF not in _OUT_OF_ORDER:
            ours = _ours(path, error)  # before it gives its descriptors back
            connection.close()
            raise ours from error
    with suppress(sqlite3.Error):
        connection.close()
    return None


def _made(path: Path, identity: str) -> LogFile:
    connection = sqlite3.connect(path, timeout=_LOCK_WAIT_S, isolation_level=None)
    try:
        _settle(connection)
        connection.executescript(f"BEGIN; {_TABLES} COMMIT")
        connection.execute("INSERT INTO meta VALUES (?, 0, 0, NULL, NULL)", (identity,))
    except sqlite3.Error:
        connection.close()
        raise
    return _Rows(connection, path)


def _settle(connection: sqlite3.Connection) -> None:
    """No fsync but at the ends of the write-ahead log: what a power cut takes, the log has.

    It stays consistent all the same, which `synchronous = OFF` would not promise.
    """
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
    connection.execute("PRAGMA trusted_schema = OFF")


def pack(values: Sequence[bytes]) -> bytes:
    """The data of a row of events."""
    lengths = struct.pack(f"<{len(values) + 1}I", len(values), *map(len, values))
    return b"".join((lengths, *values))


def unpack(data: bytes) -> list[bytes]:
    """The values in it; `ValueError` (or `struct.error`) for what is no such data."""
    try:
        (count,) = _COUNT.unpack_from(data)
        lengths = struct.unpack_from(f"<{count}I", data, _COUNT.size)
    except struct.error as error:
        raise ValueError(f"a row of {len(data)} bytes") from error
    ends = list(accumulate(lengths, initial=_COUNT.size * (count + 1)))
    if ends[-1] != len(data):
        raise ValueError(f"{len(data)} bytes of {ends[-1]}")
    return [data[start:end] for start, end in pairwise(ends)]


def columns(position: RunPosition) -> tuple[object, ...]:
    """seq, head, status, due_us, busy and gates of a run."""
    return (
        position.seq,
        position.head,
        CODES[position.status],
        None if position.due is None else micros(position.due),
        int(position.busy),
        position.gates,
    )


def row_of(kept: Kept) -> tuple[object, ...]:
    """All columns of a run."""
    return (
        kept.position.run_id,
        *columns(kept.position),
        kept.first,
        kept.last,
        kept.chunks,
        None if kept.forget is None else micros(kept.forget),
        kept.mark,
    )


def position_of(row: Sequence[Any]) -> RunPosition:
    """From run_id, seq, head, status, due_us, busy, gates."""
    run_id, seq, head, status, due_us, busy, gates = row
    return RunPosition(
        run_id=RunId(run_id),
        seq=seq,
        head=head,
        status=STATUSES[status],
        due=None if due_us is None else moment(due_us),
        busy=bool(busy),
        gates=gates,
    )


def in_pieces(run_ids: Iterable[RunId], size: int) -> Iterable[list[RunId]]:
    """The ids, each once, in lists of that size."""
    every = list(dict.fromkeys(run_ids))
    return (every[at : at + size] for at in range(0, len(every), size))


def unpacked(row: Any) -> tuple[int, list[bytes]]:
    """A run's place, and its events of one batch."""
    first, data = row
    return first, unpack(data)


def kept_of(row: Any, values: list[bytes]) -> Kept:
    """All that is held of a run; ValueError where its events are not there."""
    *position, first, last, chunks, mark = row
    found = position_of(position)
    if mark is None and len(values) != found.seq:
        raise ValueError(f"{len(values)} events of run {found.run_id!r}, which has {found.seq}")
    return Kept(found, first, last, chunks, mark, tuple(values))


def check(position: RunPosition, known: Held | None, added: int) -> None:
    """A position goes on from what the file holds of its run; `ImpossibleHistory` if not."""
    held = known.seq if known else 0
    if position.seq != held + added or position.seq == 0:
        before = position.seq - added
        problem = f"expected a batch that goes on from event {held}, found one from {before}"
        raise ImpossibleHistory(position.run_id, position.seq, problem)
