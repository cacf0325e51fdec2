"""A read model in a PostgreSQL schema, exchanged for a new one by their names."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from hashlib import sha256
from typing import Any

import psycopg

from hitl_events.adapters.readmodel.address import PostgresPlace, place_of, secrets_in
from hitl_events.adapters.readmodel.database import Database
from hitl_events.adapters.readmodel.postgres import open_postgres
from hitl_events.adapters.readmodel.postgres_schema import HAS_OURS, LOCKS, others_in, quoted
from hitl_events.adapters.readmodel.postgres_session import Session
from hitl_events.adapters.readmodel.postgres_trouble import translated
from hitl_events.adapters.readmodel.targets import Building
from hitl_events.errors import LogUnavailable

_WAIT_FOR = "SELECT pg_advisory_lock(%s::int, hashtext(%s))"
_TRY_FOR = "SELECT pg_try_advisory_lock(%s::int, hashtext(%s))"
_NAME_CHARACTERS_MAX = 40
"""Of the schema's name in that of one beside it; the rest tells which of several it belongs to."""


class PostgresTarget:
    """A schema; the locks are the server's, and go with the connection that has them."""

    def __init__(self, url: str, schema: str) -> None:
        place = place_of(url)
        assert isinstance(place, PostgresPlace), "whoever calls has looked"
        self._url = url
        self._schema = schema
        self._session = Session(place.url, schema, secrets_in(url))

    @property
    def place(self) -> str:
        return self._session.place

    def open(self, *, writable: bool = True) -> Database:
        return open_postgres(self._url, schema=self._schema, writable=writable)

    @contextmanager
    def folding(self) -> Generator[None]:
        with self._locked(_WAIT_FOR, f"{self._schema}.fold"):
            yield

    @contextmanager
    def rebuilding(self) -> Generator[Building]:
        with self._locked(_TRY_FOR, f"{self._schema}.rebuild") as connection:
            with translated(self.place, self._session.secrets):
                problem = others_in(connection, self._schema)
            if problem is not None:
                raise LogUnavailable(f"expected a read model in {self.place}, found that {problem}")
            yield _PostgresBuilding(self._url, self._schema, self)

    @contextmanager
    def _locked(self, sql: str, what: str) -> Generator[psycopg.Connection[Any]]:
        with translated(self.place, self._session.secrets):
            connection = self._session.connect(writable=True, rests=True)
        with closing(connection):
            with translated(self.place, self._session.secrets):
                found = connection.execute(sql.encode(), (LOCKS, what)).fetchone()
            if found == (False,):
                raise LogUnavailable(
                    f"expected to rebuild {self.place}, found another process that does it: let "
                    f"it end"
                )
            yield connection


class _PostgresBuilding:
    """A schema beside it."""

    def __init__(self, url: str, schema: str, target: PostgresTarget) -> None:
        self._url = url
        self._schema = schema
        digest = sha256(schema.encode()).hexdigest()[:8]
        beside = f"{schema[:_NAME_CHARACTERS_MAX]}_{digest}"
        self._new = f"{beside}_new"
        self._old = f"{beside}_old"
        self._target = target

    def open(self) -> Database:
        return open_postgres(self._url, schema=self._new)

    def discard(self) -> None:
        with closing(self.open()) as database:
            database.rows(f"DROP SCHEMA {quoted(self._new)} CASCADE")

    @contextmanager
    def exchanging(self) -> Generator[None]:
        with self._target.folding():
            yield
            with closing(self.open()) as database, database.transaction():
                self._exchange(database)

    def _exchange(self, database: Database) -> None:
        """All at once; who wrote the old one finds a higher epoch in the new one."""
        live, new, old = quoted(self._schema), quoted(self._new), quoted(self._old)
        had_one = database.rows(HAS_OURS.replace("%s", "?"), (self._schema,)) == [(True,)]
        if had_one:
            database.rows(
                f"UPDATE {new}.places SET epoch = epoch + 1 + "  # noqa: S608 - checked names
                f"(SELECT coalesce(max(epoch), 0) FROM {live}.places)"
            )
            database.rows(f"ALTER SCHEMA {live} RENAME TO {old}")
        else:
            database.rows(f"DROP SCHEMA IF EXISTS {live} RESTRICT")  # an empty one
        database.rows(f"ALTER SCHEMA {new} RENAME TO {live}")
        if had_one:
            database.rows(f"DROP SCHEMA {old} CASCADE")
