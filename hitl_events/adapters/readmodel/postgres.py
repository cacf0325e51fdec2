"""The read model in a PostgreSQL schema of its own: made anew from the log whenever it is lost.

What its tables hold is a function of the events alone, as in SQLite: texts are ordered by their
bytes (COLLATE "C"), whatever order the database has.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import lru_cache
from typing import Any

import psycopg

from hitl_events.adapters.readmodel import postgres_schema as schemas
from hitl_events.adapters.readmodel.address import (
    PostgresPlace,
    checked_schema,
    place_of,
    secrets_in,
)
from hitl_events.adapters.readmodel.postgres_session import Session
from hitl_events.adapters.readmodel.postgres_trouble import translated
from hitl_events.adapters.readmodel.upserts import upsert
from hitl_events.errors import InvalidInput, LogUnavailable, NoReadModel
from hitl_events.projections.tables import Plain, Table

COPY_ROWS_MIN = 16
"""From here on a COPY costs less than a statement for each row."""
_PIECE_ROWS = 500
_STATEMENTS_MAX = 1_024
"""Spelt for the driver: ours are some dozens, and 400 for the sizes in which runs are loaded."""


class PostgresDatabase:
    """`Database` over a connection. A server that fails may cost the last pieces: folded again.

    After a `LogUnavailable` it is to be opened anew: what broke stays broken.
    """

    def __init__(self, connection: psycopg.Connection[Any], session: Session) -> None:
        self._connection = connection
        self._session = session
        self._in_snapshot = False

    @property
    def place(self) -> str:
        return self._session.place

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        with self._translated():
            cursor = self._connection.execute(_spelt(sql), parameters, binary=True)
            return [] if cursor.description is None else cursor.fetchall()

    def stream(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Any]:
        # On a connection of its own: what is written between its rows is not of its transaction.
        with ExitStack() as stack:
            stack.enter_context(self._translated())
            connection = self._connection
            if not self._in_snapshot:
                connection = self._session.connect(writable=False, rests=True)
                stack.callback(connection.close)
                stack.enter_context(connection.transaction())
            cursor = stack.enter_context(connection.cursor("streamed", binary=True))
            cursor.execute(_spelt(sql), parameters)
            while rows := cursor.fetchmany(_PIECE_ROWS):
                yield from rows

    def change(self, sql: str, parameters: Iterable[Sequence[object]]) -> int:
        with self._translated(), self._connection.cursor() as cursor:
            cursor.executemany(_spelt(sql), parameters)
            # The driver's pipeline ends with a message after which the server does not watch how
            # long a transaction stands still (`STANDSTILL_S`): a statement more, and it does.
            self._connection.execute(b"")
            return cursor.rowcount

    def flaw(self) -> str | None:
        return None  # `amcheck` can tell, where a superuser has set it up

    def put(self, table: Table, rows: Sequence[Plain]) -> None:
        if len(rows) < COPY_ROWS_MIN:
            self.change(upsert(table), rows)
        elif table.final:
            self._copy(table, table.name, rows)
        else:
            self._copy(table, schemas.stage_of(table), rows)
            self.rows(schemas.from_stage(table))

    @contextmanager
    def transaction(self) -> Generator[None]:
        with self._translated(), self._connection.transaction():
            yield

    @contextmanager
    def snapshot(self) -> Generator[None]:
        with self._translated(), self._connection.transaction():
            self.rows("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            self.rows("SET LOCAL idle_in_transaction_session_timeout = 0")
            self._in_snapshot = True
            try:
                yield
            finally:
                self._in_snapshot = False

    def close(self) -> None:
        self._connection.close()

    def _copy(self, table: Table, to: str, rows: Iterable[Plain]) -> None:
        sql = f"COPY {to} ({', '.join(table.names)}) FROM STDIN (FORMAT BINARY)"
        types = schemas.copied_types(table)
        with (
            self._translated(),
            self._connection.cursor() as cursor,
            cursor.copy(sql.encode()) as copy,
        ):
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    def _translated(self) -> AbstractContextManager[None]:
        return translated(self.place, self._session.secrets)


def open_postgres(
    url: str, *, schema: str | None = None, writable: bool = True
) -> PostgresDatabase:
    """The read model in that schema; made, and brought to this release's version, if `writable`.

    `LogUnavailable` for what is none, is of a newer release, or a server that does not serve;
    `NoReadModel` where nothing is, or an older one; `InvalidInput` for what is no URL of
    PostgreSQL.
    """
    place = place_of(url)
    if not isinstance(place, PostgresPlace):
        raise InvalidInput("expected postgresql://USER@HOST:PORT/DATABASE, found another URL")
    session = Session(place.url, checked_schema(schema or place.schema), secrets_in(url))
    with translated(session.place, session.secrets), ExitStack() as undo:
        connection = session.connect(writable=writable)
        undo.callback(connection.close)
        problem = schemas.prepared(connection, session.schema, writable=writable)
        if problem is None:
            undo.pop_all()
            return PostgresDatabase(connection, session)
    if problem == schemas.NONE:
        raise NoReadModel(session.place)
    raise LogUnavailable(f"expected a read model in {session.place}, found that {problem}")


@lru_cache(_STATEMENTS_MAX)
def _spelt(sql: str) -> bytes:
    """As the driver wants it: parameters go over the wire as they are, not as text."""
    return sql.replace("%", "%%").replace("?", "%b").encode()
