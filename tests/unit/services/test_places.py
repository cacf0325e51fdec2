"""State folders: one process each, whoever comes first."""

from pathlib import Path

import pytest

from hitl_events.errors import InvalidInput, LogUnavailable
from hitl_services.places import NEIGHBOURS_MAX, claimed


def test_a_folder_is_one_process_s(tmp_path: Path) -> None:
    """A second one beside it gets a neighbour; the first is free again after its end."""
    with claimed(tmp_path / "state" / "engine") as first, claimed(first) as second:
        assert (first.name, second.name) == ("engine", "engine~2")
        assert second.is_dir()

    with claimed(first) as again:
        assert again == first


def test_neighbours_are_bounded(tmp_path: Path) -> None:
    """More of one name are a mistake, and told."""
    folders = [claimed(tmp_path / "engine") for _ in range(NEIGHBOURS_MAX)]
    for folder in folders:
        folder.__enter__()

    with pytest.raises(InvalidInput, match="HITL_STATE_DIR"), claimed(tmp_path / "engine"):
        pass
    for folder in folders:
        folder.__exit__(None, None, None)


def test_a_path_that_is_no_folder_is_named(tmp_path: Path) -> None:
    """A file in its way is told with the variable."""
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(LogUnavailable, match="HITL_STATE_DIR"), claimed(tmp_path / "file"):
        pass


def test_a_lock_that_cannot_be_made_names_the_state_folder(tmp_path: Path) -> None:
    """Another data directory would not help."""
    (tmp_path / "in-use.lock").symlink_to(tmp_path / "nowhere" / "lock")

    with pytest.raises(LogUnavailable, match=r"in-use\.lock.*HITL_STATE_DIR"), claimed(tmp_path):
        pass
