"""A real `kill -9` of a projector amid its writes, on a file and on a real PostgreSQL server."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hitl_events.adapters.readmodel.contents import digest_of
from hitl_events.adapters.readmodel.opening import open_read_model
from hitl_events.adapters.readmodel.reader import Questions
from hitl_events.testing.checks.read_model_samples import Told, Writer, differences, opened
from tests.acceptance.projector_child import PIECE_EVENTS
from tests.contract.places import sqlite_place

CHILD = Path(__file__).with_name("projector_child.py")
KILLS = (3, 8, 11, 18, 25, 30)
"""Statements: in the taking over, in the first piece, in later ones; before and after."""


def fold(url: str, file: Path, nth: int) -> None:
    """A process that dies at that statement, or with 0 ends well."""
    ended = subprocess.run(
        [sys.executable, str(CHILD), url, str(file), str(nth)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == (-signal.SIGKILL if nth else 0), ended.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_killed_projector_loses_and_doubles_nothing(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Killed again and again, each next one goes on; the digest is that of one that was not."""
    url = f"sqlite:///{tmp_path / 'model.db'}"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_url")
    told, file = Told(41, count=25), tmp_path / "events"
    file.write_text("\n".join(value.hex() for value in told.log))
    assert len(told.log) > 3 * PIECE_EVENTS
    with sqlite_place() as place, opened(place) as model:
        Writer(model).write(told.log)
        expected = digest_of(model.database)

    for nth in KILLS:
        fold(url, file, nth)
    fold(url, file, 0)

    database = open_read_model(url)
    assert digest_of(database) == expected
    assert differences(database, told.runs) == []
    assert Questions(database).places() == {0: len(told.log)}
    database.close()
