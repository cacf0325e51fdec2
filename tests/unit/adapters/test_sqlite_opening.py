import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from hitl_events.adapters.directory import DataDirectory
from hitl_events.adapters.lock import exclusive
from hitl_events.adapters.sqlite import SqliteLog, file
from hitl_events.domain.values import RunId
from hitl_events.errors import CorruptLog, InvalidInput, LogUnavailable
from hitl_events.testing.checks.promise import everything
from hitl_events.testing.checks.samples import Story
from tests.unit.adapters.conftest import UntilEnd

ROOT = Path(__file__).parents[3]
OPENINGS = (SqliteLog.open, SqliteLog.open_for_reading)


def _refusal(opening: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(LogUnavailable) as refused:
        opening(path)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@contextmanager
def _descriptors_left(count: int) -> Generator[None]:
    """As where a process has opened all but so many of the files that it may."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    taken: list[int] = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(count):
            os.close(taken.pop())
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_process_without_descriptors_is_told_their_limit(tmp_path: Path, left: int) -> None:
    """SQLite says that it cannot open a file, as it does where nobody may write."""
    SqliteLog.open(tmp_path).close()

    with _descriptors_left(left):
        said = _refusal(SqliteLog.open, tmp_path)

    assert "too many open files: raise their limit (`ulimit -n`)" in said


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_file_is_no_directory(tmp_path: Path, opening: Callable[[Path], object]) -> None:
    """A data path that is a file is refused in one line that says so."""
    (tmp_path / "data").write_text("notes")

    assert "found a file" in _refusal(opening, tmp_path / "data")


def test_a_place_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """A path below a file, or where nobody can write, is refused in one line."""
    (tmp_path / "file").write_text("")

    assert "found a file" in _refusal(SqliteLog.open, tmp_path / "file" / "data")
    assert "no such place" in _refusal(SqliteLog.open, Path("/proc/hitl/data"))
    assert "too long" in _refusal(SqliteLog.open, tmp_path / ("x" * 300))


@pytest.mark.parametrize("path", ["", "a\0b", "\ud800"])
def test_what_is_no_path_is_refused(path: str) -> None:
    """Text that cannot name a place is `InvalidInput`."""
    with pytest.raises(InvalidInput, match="expected the path of a data directory"):
        SqliteLog.open(path)


def test_any_file_name_will_do(tmp_path: Path) -> None:
    """A directory may be called anything that the file system allows."""
    for name in ("a b", "50%?#&=x", "ü", os.fsdecode(b"\xff\xfe")):
        SqliteLog.open(tmp_path / name).close()
        SqliteLog.open_for_reading(tmp_path / name).close()


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"not a database" * 500, "no SQLite database"), (b"", "another program's database")],
)
def test_a_strange_file_is_left_alone(
    tmp_path: Path, opening: Callable[[Path], object], content: bytes, problem: str
) -> None:
    """A `log.db` that is not ours is refused, and not touched."""
    (tmp_path / "log.db").write_bytes(content)

    assert problem in _refusal(opening, tmp_path)
    assert (tmp_path / "log.db").read_bytes() == content


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize(
    ("pragma", "problem"),
    [
        ("user_version = 7", "version 7, newer than the known 1: upgrade hitl-events"),
        ("application_id = 5", "another program's database"),
    ],
)
def test_another_version_is_refused(
    tmp_path: Path, opening: Callable[[Path], object], pragma: str, problem: str
) -> None:
    """A log of a later release, or of another program, is refused and stays as it is."""
    SqliteLog.open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "log.db")
    connection.execute(f"PRAGMA {pragma}")
    connection.close()

    assert problem in _refusal(opening, tmp_path)


def test_a_cut_file_is_corrupt(tmp_path: Path) -> None:
    """A database that lost its end is `CorruptLog`, with its path."""
    SqliteLog.open(tmp_path).close()
    os.truncate(tmp_path / "log.db", 5000)

    with pytest.raises(CorruptLog, match=r"log\.db"):
        SqliteLog.open(tmp_path)


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_schema_that_is_no_text_is_corrupt(
    tmp_path: Path, opening: Callable[[Path], object]
) -> None:
    """A table whose name was overwritten with noise is `CorruptLog`, with the path."""
    SqliteLog.open(tmp_path).close()
    log = tmp_path / "log.db"
    log.write_bytes(log.read_bytes().replace(b"answersanswers", b"answer\x97answers"))

    with pytest.raises(CorruptLog, match=r"log\.db.*malformed"):
        opening(tmp_path)


async def test_a_reader_creates_nothing(tmp_path: Path, until_end: UntilEnd) -> None:
    """Where there is no log, a reader finds an empty one, and leaves no trace."""
    path = tmp_path / "data"
    log = until_end(SqliteLog.open_for_reading(path))

    assert not DataDirectory(path).has_log()
    assert (await log.end(), await everything(log), await log.load([RunId("a")])) == (0, [], {})
    assert await log.next_due() is None
    assert not path.exists()


async def test_a_reader_writes_nothing(tmp_path: Path, until_end: UntilEnd) -> None:
    """An opening for reading refuses to write, on a log that is there and on one that is not."""
    SqliteLog.open(tmp_path / "data").close()

    for path in (tmp_path / "data", tmp_path / "none"):
        log = until_end(SqliteLog.open_for_reading(path))
        with pytest.raises(LogUnavailable):
            log.try_own()
        with pytest.raises(LogUnavailable):
            await log.discard(1)
    assert not (tmp_path / "none").exists()


def test_only_its_owner_may_look(tmp_path: Path, until_end: UntilEnd) -> None:
    """Drafts are nobody else's business: the directory is 0700, the files in it 0600."""
    until_end(SqliteLog.open(tmp_path / "data")).try_own()
    DataDirectory(tmp_path / "data").token_key()

    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()}
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert set(modes.values()) == {0o600}
    assert {"log.db", "log.db-wal", "owner.lock", "token.key"} <= set(modes)


READ_ONLY = """
import asyncio, sys
from hitl_events.adapters.lock import exclusive
from hitl_events.adapters.sqlite import SqliteLog, file
from hitl_events.errors import LogUnavailable
from hitl_events.testing.checks.promise import everything

reader = SqliteLog.open_for_reading(sys.argv[1])
print(len(asyncio.run(everything(reader))))
try:
    SqliteLog.open(sys.argv[1]).try_own()
except LogUnavailable as refused:
    print(refused)
"""
BOUND = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" -c "$3" "$1"'


@pytest.mark.parametrize("is_open", [True, False])
async def test_a_read_only_place_is_read(
    tmp_path: Path, until_end: UntilEnd, is_open: bool
) -> None:
    """On a read-only file system a log can be read, also beside its owner, and not written."""
    log = until_end(SqliteLog.open(tmp_path))
    log.try_own()
    await log.append(Story().batch(3))
    if not is_open:
        log.close()

    command = ["unshare", "-m", "sh", "-c", BOUND, "sh", str(tmp_path), sys.executable, READ_ONLY]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip("this machine lets tests mount nothing")

    events, refusal = done.stdout.splitlines()
    assert (events, done.stderr) == ("3", "")
    assert "expected to use" in refusal


def test_a_place_without_write_ahead_log_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where SQLite cannot have a write-ahead log (a network file system), no log is made."""

    def prepare(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = DELETE")

    monkeypatch.setattr("hitl_events.adapters.sqlite.schema.prepare", prepare)

    assert "expected a local file system" in _refusal(SqliteLog.open, tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_log_that_another_has_just_made_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waited while another process made the log opens that one, and does not make it anew."""
    made: list[int] = []

    @contextmanager
    def late(directory: Path) -> Generator[None]:
        monkeypatch.setattr(file, "exclusive", exclusive)
        SqliteLog.open(directory).close()
        made.append((directory / "log.db").stat().st_ino)
        yield

    monkeypatch.setattr(file, "exclusive", late)
    SqliteLog.open(tmp_path).close()

    assert [(tmp_path / "log.db").stat().st_ino] == made


def test_what_a_killed_creator_left_does_no_harm(tmp_path: Path) -> None:
    """A log that was being made when its process died is made anew."""
    (tmp_path / "log.db.new").write_bytes(b"half")

    SqliteLog.open(tmp_path).close()

    assert not (tmp_path / "log.db.new").exists()
