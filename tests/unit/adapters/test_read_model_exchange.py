"""A file that is opened to read is whole, whatever takes its place meanwhile."""

from __future__ import annotations

import sqlite3
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from hitl_events.adapters.readmodel import sqlite
from hitl_events.adapters.readmodel.files import exchange, identity, opening
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.reader import Questions
from hitl_events.adapters.readmodel.sqlite import open_sqlite
from hitl_events.adapters.sqlite.file import connect
from hitl_events.errors import NoReadModel


def _made(path: Path, partition: int) -> Path:
    """A read model that has begun that partition: by it they can be told apart."""
    with closing(open_sqlite(path)) as database:
        ReadModel(database).take_over(partition)
    return path


def _partitions(path: Path) -> list[int]:
    with closing(open_sqlite(path, writable=False)) as database:
        return list(Questions(database).places())


def test_a_reader_waits_for_the_file_that_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the old file and the new one there is none: nobody is told to rebuild it then."""
    path, new = tmp_path / "m.db", _made(tmp_path / "n.db", 7)
    with ExitStack() as exchanging:
        exchanging.enter_context(opening(path))

        def look_again(_seconds: float) -> None:
            exchange(path, new)
            exchanging.close()

        monkeypatch.setattr(time, "sleep", look_again)
        assert _partitions(path) == [7]


def test_nobody_waits_where_nothing_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an exchange that was killed has left is told at once."""
    path = _made(tmp_path / "m.db", 7)
    path.unlink()
    monkeypatch.delattr(time, "sleep")

    assert identity(path) is None
    with pytest.raises(NoReadModel):
        open_sqlite(path, writable=False)


@pytest.mark.parametrize("is_gone", [False, True])
def test_one_that_is_exchanged_while_it_is_opened_is_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_gone: bool
) -> None:
    """The rows are those of one file, not of the old one with what stands beside the new one."""
    path, new = _made(tmp_path / "m.db", 1), _made(tmp_path / "n.db", 7)

    def exchanged(*given: Any, **options: Any) -> sqlite3.Connection:
        monkeypatch.setattr(sqlite, "connect", connect)
        connection = connect(*given, **options)
        exchange(path, new)
        if is_gone:
            connection.close()
        return connection

    monkeypatch.setattr(sqlite, "connect", exchanged)
    with closing(open_sqlite(path, writable=False)) as database:
        assert list(Questions(database).places()) == [7]
