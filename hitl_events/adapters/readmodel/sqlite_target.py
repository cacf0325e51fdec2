"""A read model in a file, exchanged for a new one as a whole."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from hitl_events.adapters.readmodel import files
from hitl_events.adapters.readmodel.database import Database
from hitl_events.adapters.readmodel.sqlite import check_ours, fence, open_sqlite
from hitl_events.adapters.readmodel.targets import Building


class SqliteTarget:
    """A file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def place(self) -> str:
        return str(self.path)

    def open(self, *, writable: bool = True) -> Database:
        return open_sqlite(self.path, writable=writable)

    def folding(self) -> AbstractContextManager[None]:
        return files.folding(self.path)

    @contextmanager
    def rebuilding(self) -> Generator[Building]:
        with files.rebuilding(self.path) as new:
            check_ours(self.path)
            yield _SqliteBuilding(self.path, new)


class _SqliteBuilding:
    """A file beside it."""

    def __init__(self, path: Path, new: Path) -> None:
        self._path = path
        self._new = new

    def open(self) -> Database:
        return open_sqlite(self._new)

    def discard(self) -> None:
        files.discard(self._new)

    @contextmanager
    def exchanging(self) -> Generator[None]:
        with files.folding(self._path), files.opening(self._path):
            fence(self._path)  # who has the old file open and writes on finds that out
            yield
            files.exchange(self._path, self._new)
