"""The baselines: what SQLite and fastavro do on this machine in this minute, without us."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import fastavro

from hitl_events.adapters.avro import schemas

ROWS_PER_COMMIT = 256
ROW_BYTES = 400


class RawTable:
    """One table of blobs in a database of its own: WAL, synchronous FULL, as the log has them."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, value BLOB NOT NULL)")
        self._rows = [(os.urandom(ROW_BYTES),) for _ in range(ROWS_PER_COMMIT)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def rows_per_s(self, commits: int) -> float:
        """Rows a second, in commits of 256 rows of 400 B."""
        began = time.perf_counter()
        for _ in range(commits):
            self._commit(self._rows)
        return commits * ROWS_PER_COMMIT / (time.perf_counter() - began)

    def commit_s(self) -> float:
        """The seconds that a commit of one row takes."""
        began = time.perf_counter()
        self._commit(self._rows[:1])
        return time.perf_counter() - began

    def _commit(self, rows: Sequence[tuple[bytes]]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO rows (value) VALUES (?)", rows)
        self._connection.execute("COMMIT")


class RawReader:
    """fastavro over the same event values: dicts, nothing checked, nothing kept."""

    def __init__(self) -> None:
        self._schemas: dict[bytes, Any] = {}

    def events_per_s(self, values: Sequence[bytes]) -> float:
        """Events read a second."""
        # fastavro's types are partial
        read: Any = fastavro.schemaless_reader  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # see above
        for value in values[: 2 * len(schemas.EVENT_NAMES)]:
            self._schema(value)
        began = time.perf_counter()
        for value in values:
            body = BytesIO(value)
            body.seek(schemas.HEAD_BYTES)
            read(body, self._schema(value), None)
        return len(values) / (time.perf_counter() - began)

    def _schema(self, value: bytes) -> Any:  # noqa: ANN401 - fastavro's own form
        head = value[: schemas.HEAD_BYTES]
        held = self._schemas.get(head)
        if held is None:
            path = schemas.released()[head]
            held = self._schemas[head] = fastavro.parse_schema(schemas.load(path))
        return held
