"""One connection to the log's file: opening it, transactions, and its errors as ours."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from hitl_events.adapters.directory import DataDirectory
from hitl_events.adapters.lock import exclusive
from hitl_events.adapters.sqlite import schema
from hitl_events.adapters.trouble import SQLITE_ERRORS, translated, unavailable
from hitl_events.errors import CorruptLog, HitlError, LogUnavailable

BUSY_WAIT_S = 10.0
"""A commit takes under 1 ms, a checkpoint 100 ms: whoever keeps the file longer than this hangs."""
_CACHE_KIB = 4 * 1024
"""The pages of the indexes that are written all the time; the blocks are read once."""
_WAL_PAGES = 4096
"""Checkpoint every 16 MiB: measured at full load, 4 MiB costs 10 % more, 64 MiB gains nothing."""
_WAL_BYTES_KEPT = 64 * 1024 * 1024
"""What is left of a write-ahead log that one large import has blown up."""

_PROBLEMS = (*SQLITE_ERRORS, OverflowError, UnicodeEncodeError)
_T = TypeVar("_T")


class LogFile:
    """A connection in autocommit mode; every `sqlite3.Error` leaves it as one of ours."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """All rows of a query; its writer bounds them."""
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except _PROBLEMS as error:
            raise self._ours(error) from error

    def row(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The first row, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def rows_among(self, sql: str, values: Sequence[object]) -> list[Any]:
        """All rows of a query with `IN ({})` for these values.

        They are filled up to a power of two with null, which nothing equals: a connection keeps the
        statements that it has prepared, with all that was bound last. One for each length were 6 MB
        of a partition's memory.
        """
        count = 1 << max(len(values) - 1, 0).bit_length()
        filled = [*values, *[None] * (count - len(values))]
        return self.rows(sql.format(",".join("?" * count)), filled)

    def change(self, sql: str, parameters: Iterable[Sequence[object]]) -> int:
        """Run a statement for each tuple of parameters; returns how many rows it changed in all."""
        try:
            return self._connection.executemany(sql, parameters).rowcount
        except _PROBLEMS as error:
            raise self._ours(error) from error

    def insert(self, sql: str, parameters: Sequence[object]) -> int:
        """Insert one row and return its number."""
        try:
            return self._connection.execute(sql, parameters).lastrowid or 0
        except _PROBLEMS as error:
            raise self._ours(error) from error

    @contextmanager
    def transaction(self) -> Generator[None, None, None]:
        """All of the writes inside or none; only one such at a time over all processes."""
        self.rows("BEGIN IMMEDIATE")
        with ExitStack() as undo:
            undo.callback(self._roll_back)
            yield
            self.rows("COMMIT")
            undo.pop_all()

    def _roll_back(self) -> None:
        """If it fails as well, SQLite undoes the rest when it closes."""
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def decoded(self, table: str, rows: Iterable[Any], read: Callable[[Any], _T]) -> list[_T]:
        """The rows as values; `CorruptLog` where one is not what we write."""
        try:
            return [read(row) for row in rows]
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            where = f"{self.path}, table {table}"
            raise CorruptLog(where, f"expected a row as we write it, found {error}") from error

    def close(self) -> None:
        try:
            self._connection.close()
        except sqlite3.Error as error:
            raise self._ours(error) from error

    def _ours(self, error: Exception) -> HitlError:
        return translated(self.path, error)


def open_for_writing(directory: DataDirectory) -> LogFile:
    """The log of the directory, made if there is none; of racing processes one makes it."""
    path = directory.log_path
    if not directory.has_log():
        directory.make()
        with exclusive(directory.path):
            if not directory.has_log():
                _create(directory)
    return _opened(path, "mode=rw", writable=True)


def open_for_reading(directory: DataDirectory) -> LogFile:
    """The log of the directory for reading; creates nothing: where there is none, it is empty."""
    path = directory.log_path
    if not directory.has_log():
        return _empty(path)
    try:
        return _opened(path, "mode=ro", writable=False)
    except LogUnavailable:
        if not _is_at_rest(directory):
            raise
    # SQLite wants to make its -shm file beside the log; where it may not, and nothing waits in a
    # write-ahead log, the file alone is the whole truth.
    return _opened(path, "immutable=1", writable=False)


def _create(directory: DataDirectory) -> None:
    path = directory.log_path
    with directory.placed(path) as new:
        connection = connect(new, "mode=rw")
        try:
            schema.prepare(connection)
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        except sqlite3.Error as error:
            raise translated(path, error) from error
        finally:
            connection.close()
        if mode != "wal":
            message = f"expected a local file system for {path}, found one without shared memory"
            raise LogUnavailable(f"{message}: name another data directory with --dir or HITL_DATA")


def _empty(path: Path) -> LogFile:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.prepare(connection)
    connection.execute("PRAGMA query_only = ON")
    return LogFile(connection, path)


def _opened(path: Path, mode: str, *, writable: bool) -> LogFile:
    """The file, if it is a log of ours."""
    connection = connect(path, mode)
    try:
        problem = schema.problem(connection)
        if problem is None:
            _settle(connection, writable=writable)
            return LogFile(connection, path)
    except SQLITE_ERRORS as error:
        ours = translated(path, error)  # before it gives its descriptors back
        connection.close()
        raise ours from error
    connection.close()
    raise LogUnavailable(f"expected a log in {path}, found that {problem}")


def connect(path: Path, mode: str, *, any_thread: bool = False) -> sqlite3.Connection:
    """In autocommit mode; `any_thread`: whoever has it sees to it that one uses it at a time."""
    uri = f"file:{quote(os.fsencode(path.absolute()))}?{mode}"
    try:
        return sqlite3.connect(
            uri,
            timeout=BUSY_WAIT_S,
            isolation_level=None,
            uri=True,
            check_same_thread=not any_thread,
        )
    except sqlite3.Error as error:
        raise translated(path, error) from error


def _settle(connection: sqlite3.Connection, *, writable: bool) -> None:
    """The settings that durability and speed rest on, also where they are the defaults."""
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("PRAGMA trusted_schema = OFF")
    if not writable:
        connection.execute("PRAGMA query_only = ON")
        return
    connection.execute("PRAGMA synchronous = FULL")
    # macOS acknowledges an fsync that is still in the disk's cache, unless asked like this.
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA secure_delete = FAST")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")


def _is_at_rest(directory: DataDirectory) -> bool:
    """Whether no event stands in a write-ahead log beside the file."""
    log = directory.log_path.with_name(directory.log_path.name + "-wal")
    try:
        return log.stat().st_size == 0
    except FileNotFoundError:
        return True
    except OSError as error:
        raise unavailable(log, error) from error
