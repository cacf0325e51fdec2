"""The read model in a SQLite file: made anew from the log whenever it is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from hitl_events.adapters.readmodel.files import ELSEWHERE, identity, opening
from hitl_events.adapters.readmodel.migrations import migrations
from hitl_events.adapters.readmodel.upserts import upsert
from hitl_events.adapters.sqlite.file import LogFile, connect
from hitl_events.adapters.trouble import SQLITE_ERRORS, translated, unavailable
from hitl_events.errors import (
    CorruptLog,
    DamagedReadModel,
    HitlError,
    LogUnavailable,
    NoReadModel,
)
from hitl_events.projections.tables import Plain, Table

APPLICATION_ID = 0x6869746D
"""`hitm` in ASCII: a read model, and no log."""
TYPES = {"text": "TEXT", "int": "INTEGER", "blob": "BLOB", "clustered": " WITHOUT ROWID"}
_CACHE_KIB = 64 * 1024
_PAGE_BYTES = 8 * 1024
"""Some twenty events of 400 B: quicker to fill than the usual 4 KiB. For a new file."""
_PIECE_ROWS = 500
_EXCHANGES_MAX = 20
"""While one process opens a file to read: each is a whole rebuild by another."""
_HEAD_BYTES = 100
_APPLICATION = slice(68, 72)
"""Where SQLite keeps the application's id in a file."""


class SqliteDatabase(LogFile):
    """`Database` over a file. Power that fails may cost the last pieces: they are folded again."""

    @property
    def place(self) -> str:
        return str(self.path)

    def stream(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Any]:
        try:
            cursor = self._connection.execute(sql, parameters)
            while rows := cursor.fetchmany(_PIECE_ROWS):
                yield from rows
        except SQLITE_ERRORS as error:
            raise self._ours(error) from error

    def flaw(self) -> str | None:
        found = self.rows("PRAGMA integrity_check(1)")[0][0]
        return None if found == "ok" else " ".join(str(found).split())

    @contextmanager
    def snapshot(self) -> Generator[None, None, None]:
        self.rows("BEGIN")
        try:
            yield
        finally:
            with suppress(HitlError):
                self.rows("ROLLBACK")

    def put(self, table: Table, rows: Sequence[Plain]) -> None:
        self.change(upsert(table), rows)

    def _ours(self, error: Exception) -> HitlError:
        return _of_read_model(self.path, error)


def open_sqlite(path: Path, *, writable: bool = True) -> SqliteDatabase:
    """The read model at that path; made, and brought to this release's version, if `writable`.

    `LogUnavailable` for what is none, or is of a newer release; `NoReadModel` where nothing is.
    """
    if not writable:
        return _to_read(path)
    with opening(path):
        return _opened(path, writable=True)


def check_ours(path: Path) -> None:
    """`LogUnavailable` for a file that is no read model, of whatever version: it is not replaced.

    By its head alone, so that one with damaged rows counts as ours; the head of a young one stands
    in its write-ahead log.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unavailable(path, error, ELSEWHERE) from error
    ours = APPLICATION_ID.to_bytes(4, "big")
    if head[_APPLICATION] != ours and _application(path) != APPLICATION_ID:
        raise LogUnavailable(
            f"expected a read model in {path}, found another file: move it away, or name another "
            f"place in HITL_READ_MODEL"
        )


def _application(path: Path) -> int | None:
    """Whose database it is, by SQLite itself; None for what is no database."""
    with suppress(*SQLITE_ERRORS, HitlError), closing(connect(path, "mode=ro")) as connection:
        return int(connection.execute("PRAGMA application_id").fetchone()[0])
    return None


def fence(path: Path) -> None:
    """Whoever writes the file now can not write on. The caller holds `opening(path)`."""
    if path.exists():
        # one that is damaged can not be written either
        with suppress(HitlError), closing(_opened(path, writable=True)) as database:
            database.rows("UPDATE places SET epoch = epoch + 1")


def _to_read(path: Path) -> SqliteDatabase:
    """Opened without a lock: again, where another file took its place meanwhile.

    What stood beside the one was found by the name of the other then.
    """
    for _ in range(_EXCHANGES_MAX):
        before = identity(path)
        if before is None:
            raise NoReadModel(str(path))
        try:
            found = _opened(path, writable=False)
        except HitlError:
            if identity(path) == before:
                raise
        else:
            if identity(path) == before:
                return found
            found.close()
    raise LogUnavailable(f"expected to open {path}, found it exchanged again and again: ask again")


def _opened(path: Path, *, writable: bool) -> SqliteDatabase:
    try:
        if writable:
            path.touch(mode=0o600)
        else:
            path.stat()
    except OSError as error:
        raise unavailable(path, error, ELSEWHERE) from error
    connection = connect(path, "mode=rwc" if writable else "mode=ro", any_thread=True)
    try:
        problem = _prepared(connection, writable=writable)
        if problem is None:
            return SqliteDatabase(connection, path)
    except SQLITE_ERRORS as error:
        ours = _of_read_model(path, error)  # before it gives its descriptors back
        connection.close()
        raise ours from error
    connection.close()
    raise LogUnavailable(f"expected a read model in {path}, found that {problem}")


def _of_read_model(path: Path, error: Exception) -> HitlError:
    """What is wrong with the file is no matter of the log."""
    ours = translated(path, error, "the read model", ELSEWHERE)
    if isinstance(ours, CorruptLog):
        return DamagedReadModel(ours.where, ours.problem)
    return ours


def _prepared(connection: sqlite3.Connection, *, writable: bool) -> str | None:
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("PRAGMA trusted_schema = OFF")
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    known = migrations(TYPES)
    is_empty = not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    if application != APPLICATION_ID and not (writable and is_empty):
        return "it is another program's database (or an empty file): name another place"
    if version > len(known):
        return f"it has version {version}, newer than the known {len(known)}: upgrade hitl-events"
    if not writable:
        connection.execute("PRAGMA query_only = ON")
        return None if version == len(known) else f"it has the old version {version}: rebuild it"
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    _migrate(connection, known)
    return None


def _migrate(connection: sqlite3.Connection, known: Sequence[Sequence[str]]) -> None:
    """Forward, in one transaction; of several processes one does it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for statements in known[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(known)}")
        connection.execute("COMMIT")
    finally:
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
