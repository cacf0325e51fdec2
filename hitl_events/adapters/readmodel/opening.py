"""A read model by its URL, in whichever database that is."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from hitl_events.adapters.readmodel.address import SqlitePlace, place_of
from hitl_events.adapters.readmodel.database import Database
from hitl_events.adapters.readmodel.sqlite import open_sqlite
from hitl_events.adapters.readmodel.sqlite_target import SqliteTarget
from hitl_events.adapters.readmodel.targets import Target
from hitl_events.errors import InvalidInput


def open_read_model(url: str, *, writable: bool = True) -> Database:
    """The read model at `sqlite:///...` or `postgresql://...`; made if `writable`.

    `InvalidInput` for a URL that is neither, `LogUnavailable` for a place that can not be used.
    """
    place = place_of(url)
    if isinstance(place, SqlitePlace):
        return open_sqlite(place.path, writable=writable)
    with _psycopg():
        from hitl_events.adapters.readmodel.postgres import open_postgres  # noqa: PLC0415 - an extra
    return open_postgres(url, writable=writable)


def target_of(url: str) -> Target:
    """The same place, for whoever keeps it up or rebuilds it."""
    place = place_of(url)
    if isinstance(place, SqlitePlace):
        return SqliteTarget(place.path)
    with _psycopg():
        from hitl_events.adapters.readmodel.postgres_target import PostgresTarget  # noqa: PLC0415 - an extra
    return PostgresTarget(url, place.schema)


@contextmanager
def _psycopg() -> Generator[None]:
    """It is an extra: who keeps to SQLite needs none of it."""
    try:
        yield
    except ImportError as missing:
        raise InvalidInput(
            f"expected psycopg for a read model on PostgreSQL, found no {missing.name}: "
            "pip install 'hitl-events[postgres]'"
        ) from None
