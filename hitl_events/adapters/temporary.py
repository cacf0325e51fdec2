"""Tables of this process alone, in a temporary file: what is in them does not count in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hitl_events.adapters.trouble import translated

_CACHE_KIB = 16 * 1024
"""Of pages: the index of 100,000 events."""
_SETTINGS = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -{_CACHE_KIB};
"""
_PLACE = Path("(TMPDIR says where)")
_ELSEWHERE = "name another folder in TMPDIR"


class TemporaryTables:
    """`close` it, and the file is gone; SQLite's errors leave it as ours."""

    def __init__(self, tables: str) -> None:
        """`tables` is the SQL that makes them; all that is added is one transaction."""
        with ExitStack() as undo:
            # An empty name is a file of this connection alone, which is gone when it is closed.
            self._connection = sqlite3.connect("", isolation_level=None)
            undo.callback(self._connection.close)
            self.script(f"{_SETTINGS}{tables};BEGIN")
            undo.pop_all()

    def script(self, sql: str) -> None:
        """Run some statements; what was added before is committed."""
        with _ours():
            self._connection.executescript(sql)

    def add(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement for each of the rows."""
        with _ours():
            self._connection.executemany(sql, rows)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Any]:
        """The rows of a query, one after the other."""
        with _ours():
            yield from self._connection.execute(sql, parameters)

    def close(self) -> None:
        """Forget all of it."""
        self._connection.close()


@contextmanager
def _ours() -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise translated(_PLACE, error, "the temporary file", _ELSEWHERE) from error
