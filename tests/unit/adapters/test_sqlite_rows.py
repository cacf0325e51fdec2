"""Queries of an open log's file."""

import sqlite3
from collections.abc import Generator
from pathlib import Path

import pytest

from hitl_events.adapters.sqlite.file import LogFile


@pytest.fixture
def held() -> Generator[tuple[LogFile, list[str]]]:
    """A table with the numbers from 0 to 499, and the statements that it was asked."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    asked: list[str] = []
    file = LogFile(connection, Path("log.db"))
    file.rows("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
    file.change("INSERT INTO numbers VALUES (?)", [(number,) for number in range(500)])
    connection.set_trace_callback(asked.append)
    yield file, asked
    file.close()


def test_rows_are_found_among_any_number_of_values(held: tuple[LogFile, list[str]]) -> None:
    """Those that are there, each once; none where none is asked for."""
    file, _ = held
    sql = "SELECT number FROM numbers WHERE number IN ({}) ORDER BY number"

    for count in (0, 1, 2, 3, 17, 256, 257, 500):
        wanted = list(range(0, 2 * count, 2))
        found = [number for (number,) in file.rows_among(sql, wanted)]
        assert found == [number for number in wanted if number < 500]


def test_any_number_of_values_makes_few_statements(held: tuple[LogFile, list[str]]) -> None:
    """Each that was prepared stays in memory, with what was bound to it."""
    file, asked = held

    for count in range(501):
        file.rows_among("SELECT 1 FROM numbers WHERE number IN ({})", [7] * count)

    assert {sql.count(",") + 1 for sql in asked} == {2**power for power in range(10)}
