"""A read model in a PostgreSQL schema, exchanged for a new one by their names."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, closing, contextmanager

from hitl_events.adapters.readmodel.address import PostgresPlace, place_of, secrets_in
from hitl_events.adapters.readmodel.database import Database
from hitl_events.adapters.readmodel.postgres import open_postgres
from hitl_events.adapters.readmodel.postgres_schema import LOCKS
from hitl_events.adapters.readmodel.postgres_session import Session
from hitl_events.adapters.readmodel.postgres_trouble import translated
from hitl_events.adapters.readmodel.targets import Building
from hitl_events.errors import LogUnavailable

_WAIT_FOR = "SELECT pg_advisory_lock(%s::int, hashtext(%s))"
_TRY_FOR = "SELECT pg_try_advisory_lock(%s::int, hashtext(%s))"
_IS_THERE = "SELECT count(*) > 0 FROM pg_namespace WHERE nspname = %s"


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

    def open(self) -> Database:
        return open_postgres(self._url, schema=self._schema)

    def folding(self) -> AbstractContextManager[None]:
        return self._locked(_WAIT_FOR, f"{self._schema}.fold")

    @contextmanager
    def rebuilding(self) -> Generator[Building]:
        with self._locked(_TRY_FOR, f"{self._schema}.rebuild"):
            yield _PostgresBuilding(self._url, self._schema, self)

    @contextmanager
    def _locked(self, sql: str, what: str) -> Generator[None]:
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
            yield


class _PostgresBuilding:
    """A schema beside it."""

    def __init__(self, url: str, schema: str, target: PostgresTarget) -> None:
        self._url = url
        self._schema = schema
        self._new = f"{schema[:50]}_new"
        self._old = f"{schema[:50]}_old"
        self._target = target

    def open(self) -> Database:
        return open_postgres(self._url, schema=self._new)

    def discard(self) -> None:
        with closing(self.open()) as database:
            database.rows(f"DROP SCHEMA {self._new} CASCADE")

    @contextmanager
    def exchanging(self) -> Generator[None]:
        with self._target.folding():
            yield
            with closing(self.open()) as database, database.transaction():
                self._exchange(database)

    def _exchange(self, database: Database) -> None:
        """All at once; who wrote the old one finds a higher epoch in the new one."""
        had_one = database.rows(_IS_THERE.replace("%s", "?"), (self._schema,)) == [(True,)]
        if had_one:
            database.rows(
                f"UPDATE {self._new}.places SET epoch = epoch + 1 + "  # noqa: S608 - checked names
                f"(SELECT coalesce(max(epoch), 0) FROM {self._schema}.places)"
            )
            database.rows(f"ALTER SCHEMA {self._schema} RENAME TO {self._old}")
        database.rows(f"ALTER SCHEMA {self._new} RENAME TO {self._schema}")
        if had_one:
            database.rows(f"DROP SCHEMA {self._old} CASCADE")
