import errno
import resource
from pathlib import Path

import pytest

from hitl_events.adapters.directory import DataDirectory
from hitl_events.adapters.lock import FileLock, exclusive
from hitl_events.domain.token import KEY_BYTES_MIN, TokenKeys
from hitl_events.errors import InvalidInput, LogUnavailable


def test_a_key_is_made_once(tmp_path: Path) -> None:
    """The first call makes the key, every later one finds it; another directory has another."""
    directory = DataDirectory(tmp_path / "a" / "b")
    key = directory.token_key()

    assert directory.token_key() == DataDirectory(str(tmp_path / "a" / "b")).token_key() == key
    assert DataDirectory(tmp_path / "c").token_key() != key
    assert len(key) >= KEY_BYTES_MIN
    assert TokenKeys([key]).kid


def test_a_key_is_text_for_its_owner(tmp_path: Path) -> None:
    """The key is a line of text, so that it can be copied, and only its owner can read it."""
    directory = DataDirectory(tmp_path)
    key = directory.token_key()

    assert directory.key_path.read_text("ascii").strip().encode() == key
    assert directory.key_path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [directory.key_path]


def test_looking_for_a_key_makes_none(tmp_path: Path) -> None:
    """Who only reads finds no key where there is none, and creates nothing."""
    directory = DataDirectory(tmp_path / "data")

    assert directory.existing_token_key() is None
    assert not directory.path.exists()


def test_a_key_may_be_ones_own(tmp_path: Path) -> None:
    """A key that somebody put there is taken, without the line's end."""
    (tmp_path / "token.key").write_text("a phrase of more than thirty-two letters\n")

    assert DataDirectory(tmp_path).token_key() == b"a phrase of more than thirty-two letters"


@pytest.mark.parametrize("content", [b"", b"\n", b"too short"])
def test_a_lost_key_is_not_replaced(tmp_path: Path, content: bytes) -> None:
    """A cut key is an error that says so: a new one in its place would void every open token."""
    (tmp_path / "token.key").write_bytes(content)

    with pytest.raises(InvalidInput, match=f"at least {KEY_BYTES_MIN} bytes.*restore it"):
        DataDirectory(tmp_path).token_key()
    assert (tmp_path / "token.key").read_bytes() == content


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A key that is no file is refused in one line with its path."""
    (tmp_path / "token.key").mkdir()

    with pytest.raises(LogUnavailable, match=r"expected a readable token key, found .*token\.key"):
        DataDirectory(tmp_path).token_key()


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    """A data path that is a file has neither key nor log."""
    (tmp_path / "file").write_text("")
    directory = DataDirectory(tmp_path / "file")

    for asking in (directory.token_key, directory.existing_token_key, directory.has_log):
        with pytest.raises(LogUnavailable, match="found a file"):
            asking()


def test_a_link_to_nothing_is_no_directory(tmp_path: Path) -> None:
    """It is told as that: whoever looks finds no file there."""
    (tmp_path / "link").symlink_to(tmp_path / "gone")

    with pytest.raises(LogUnavailable, match="or a link to nothing"):
        DataDirectory(tmp_path / "link").make()


def test_a_process_without_descriptors_is_told_that(tmp_path: Path) -> None:
    """Nothing is wrong with the key or its place: another owner, mode or place would not help."""
    directory = DataDirectory(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        with pytest.raises(LogUnavailable, match="too many open files: raise their limit"):
            directory.existing_token_key()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_what_fails_half_way_is_not_there(tmp_path: Path) -> None:
    """A file that could not be written whole leaves nothing, and the one before stays."""
    (tmp_path / "note").write_text("before")

    with pytest.raises(LogUnavailable, match="disk is full"):
        _write_half(DataDirectory(tmp_path), tmp_path / "note")

    assert (tmp_path / "note").read_text() == "before"
    assert list(tmp_path.iterdir()) == [tmp_path / "note"]


def _write_half(directory: DataDirectory, path: Path) -> None:
    with directory.placed(path) as new:
        new.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    """A path is locked by one, until that one releases it; both may be done twice."""
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")

    assert (first.try_acquire(), first.try_acquire(), second.try_acquire()) == (True, True, False)
    first.release()
    first.release()
    assert (second.try_acquire(), first.held) == (True, False)


def test_a_removed_lock_is_not_held_by_who_comes(tmp_path: Path) -> None:
    """A lock file that vanishes between its opening and its locking is locked by nobody."""

    class Removed(FileLock):
        def _is_still_at_its_path(self, descriptor: int) -> bool:
            self.path.unlink()
            return super()._is_still_at_its_path(descriptor)

    lock = Removed(tmp_path / "lock")
    assert not lock.try_acquire()
    assert not lock.held


def test_setting_up_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another process hangs while it sets the directory up, the others say so."""
    monkeypatch.setattr("hitl_events.adapters.lock.WAIT_S", 0.02)

    with (
        exclusive(tmp_path),
        pytest.raises(LogUnavailable, match="found it locked"),
        exclusive(tmp_path),
    ):
        pass
