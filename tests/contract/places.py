"""Places of read models: a SQLite file, and a schema of a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hitl_events.adapters.readmodel.database import Database
from hitl_events.adapters.readmodel.opening import open_read_model


class UrlPlace:
    """A read model by its URL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._openings: list[Database] = []

    def open(self, *, writable: bool = True) -> Database:
        """Another connection; all of them are closed at the end."""
        self._openings.append(open_read_model(self.url, writable=writable))
        return self._openings[-1]

    def close(self) -> None:
        """Close those that are still open."""
        for database in self._openings:
            database.close()


@contextmanager
def place_at(url: str) -> Generator[UrlPlace]:
    """The read model at that URL."""
    place = UrlPlace(url)
    try:
        yield place
    finally:
        place.close()


@contextmanager
def sqlite_place() -> Generator[UrlPlace]:
    """A file that is not there yet."""
    with TemporaryDirectory() as name, place_at(f"sqlite:///{Path(name) / 'model.db'}") as place:
        yield place
