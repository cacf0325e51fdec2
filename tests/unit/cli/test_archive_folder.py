"""What the folder of an archive keeps open, and for how long."""

import sqlite3
from pathlib import Path

import pytest

from hitl_events.errors import HitlError
from hitl_services.cli.archive_folder import ArchiveFolder


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_leaves_nothing_open(
    tmp_path: Path, connections: list[sqlite3.Connection], name: str
) -> None:
    """The temporary database of an archive that is refused is closed with it."""
    (tmp_path / "file").write_text("")

    with (
        pytest.raises(HitlError, match="archive"),
        ArchiveFolder.opened(f"{tmp_path}/{name}", None),
    ):
        pass

    (connection,) = connections
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
