"""Tables in a temporary file: their errors are ours, and nothing is left open."""

import sqlite3
from contextlib import closing

import pytest

from hitl_events.adapters.temporary import TemporaryTables
from hitl_events.errors import LogUnavailable


def test_what_was_added_comes_back_in_order() -> None:
    """Within the one transaction that all of it is."""
    with closing(TemporaryTables("CREATE TABLE t (n INTEGER)")) as tables:
        tables.add("INSERT INTO t VALUES (?)", ((n,) for n in (3, 1, 2)))

        assert [n for (n,) in tables.rows("SELECT n FROM t ORDER BY n")] == [1, 2, 3]


def test_an_error_of_sqlite_names_the_temporary_file() -> None:
    """Whoever's disk is full is told which one."""
    with (
        closing(TemporaryTables("CREATE TABLE t (n INTEGER)")) as tables,
        pytest.raises(
            LogUnavailable, match=r"^expected to use the temporary file \(TMPDIR says where\)"
        ),
    ):
        list(tables.rows("SELECT n FROM other"))


def test_tables_that_cannot_be_made_leave_nothing_open(
    connections: list[sqlite3.Connection],
) -> None:
    """A full disk at the very beginning, say."""
    with pytest.raises(LogUnavailable):
        TemporaryTables("CREATE NOTHING")

    (connection,) = connections
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
