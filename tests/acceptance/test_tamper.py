"""What `hitl verify` finds: every single change of an exported file and of the events on disk."""

import asyncio
import io
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hitl_events import Run, Runtime, recipe
from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.adapters.sqlite.blocks import pack, unpack
from hitl_events.adapters.sqlite.schema import PAGE_BYTES
from hitl_services.cli.main import main

HITL = Path(sys.executable).with_name("hitl")
CODEC = AvroCodec()
DONE_S_MAX = 60
VERIFIED, BROKEN, UNREACHABLE = 0, 4, 5
EVENTS = 17

Change = Callable[[list[bytes]], list[bytes]]


def _draft(topic: str) -> dict[str, Any]:
    # long enough for several blocks of events on disk
    return {"topic": topic, "price": 12.5, "text": "clause by clause " * 300}


def _publish(draft: dict[str, Any]) -> str:
    return f"published {draft['topic']}"


@recipe("tampered", version="1")
async def tampered(run: Run, topic: str) -> Any:
    """A draft, its review, its publication."""
    draft = await run.step(_draft, topic, name="draft")
    await run.gate("review", draft=draft, expires_in=86_400)
    return await run.step(_publish, draft, name="publish")


async def _record(place: Path) -> None:
    async with Runtime.open(place, recipes=[tampered]) as runtime:
        tokens = [
            (await runtime.run(tampered, "leave", run_id=run_id)).token or ""
            for run_id in ("one", "two", "waiting")
        ]
        await runtime.decide(tokens[0], "approve", decided_by="Ada")
        await runtime.decide(tokens[0], "deny", decided_by="Eve")
        await runtime.decide(tokens[1], "yes")
        await runtime.decide(tokens[1], "approve")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with two runs that ended and one that waits."""
    place = tmp_path_factory.mktemp("log") / "data"
    asyncio.run(_record(place))
    return place


@pytest.fixture(scope="module")
def exported(recorded: Path) -> list[bytes]:
    """The lines of its export, as a user gets them."""
    file = recorded.parent / "audit.jsonl"
    command = [str(HITL), "export", "--dir", str(recorded), "-o", str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=DONE_S_MAX)
    return io.BytesIO(file.read_bytes()).readlines()


@pytest.fixture
def verify(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, Any]]:
    """`hitl verify ... --json` in this process: exit code and report."""
    # `main` sets them for a process of its own
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)

    def verified(*arguments: object) -> tuple[int, Any]:
        capsys.readouterr()
        code = main(["verify", *map(str, arguments), "--json"])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert len(said.err.splitlines()) == (code != VERIFIED)
        return code, json.loads(said.out)

    return verified


# an exported file


def _file_changes(lines: Sequence[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    draw = random.Random(7)
    last = len(lines) - 1
    for index, line in enumerate(lines):
        at = draw.randrange(len(line))
        edited = line[:at] + bytes([line[at] ^ 1 << draw.randrange(7)]) + line[at + 1 :]
        yield f"byte {at} of line {index}", [*lines[:index], edited, *lines[index + 1 :]]
        yield f"without line {index}", [*lines[:index], *lines[index + 1 :]]
        yield f"line {index} twice", [*lines[:index], line, *lines[index:]]
        yield f"cut in line {index}", [*lines[:index], line[:at]]
        other = 0 if index == last else last
        moved = [lines[{index: other, other: index}.get(spot, spot)] for spot in range(last + 1)]
        yield f"line {index} in the place of {other}", moved


def test_every_single_change_of_a_file_is_found(
    exported: list[bytes], tmp_path: Path, verify: Callable[..., tuple[int, Any]]
) -> None:
    """An edit, removal, insertion, move or cut of any line ends with exit 4 and a named place."""
    file = tmp_path / "audit.jsonl"
    missed: list[str] = []
    for what, lines in _file_changes(exported):
        file.write_bytes(b"".join(lines))
        code, report = verify(file)
        missed += [what] if code != BROKEN or not report["errors"] else []

    assert missed == []


def test_a_readable_field_that_was_changed_is_named_by_run_and_event(
    exported: list[bytes], tmp_path: Path
) -> None:
    """Who turns a denial into an approval is told by a command, on stderr, in one line."""
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"".join(exported).replace(b'"verdict":"deny"', b'"verdict":"approve"'))

    done = subprocess.run(
        [HITL, "verify", file], capture_output=True, text=True, check=False, timeout=DONE_S_MAX
    )

    assert done.returncode == BROKEN
    assert done.stderr.startswith("hitl: verification failed: run one, event 7: ")
    assert "expected 'verdict' to be 'deny', found 'approve'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_untouched_export_verifies_and_comes_back_whole(
    exported: list[bytes], tmp_path: Path, verify: Callable[..., tuple[int, Any]]
) -> None:
    """The file verifies, its import does, and the import's export is the same file."""
    file, again, place = tmp_path / "a.jsonl", tmp_path / "b.jsonl", tmp_path / "data"
    file.write_bytes(b"".join(exported))

    assert verify(file) == (VERIFIED, {"runs": 3, "events": EVENTS, "errors": []})
    assert main(["import", str(file), "--dir", str(place)]) == VERIFIED
    assert verify("--dir", place)[0] == VERIFIED
    assert main(["export", "--dir", str(place), "-o", str(again)]) == VERIFIED
    assert again.read_bytes() == file.read_bytes()


# the events on disk


class Disk:
    """A copy of the data directory and what somebody with a hex editor, or our code, does to it."""

    def __init__(self, recorded: Path, place: Path) -> None:
        shutil.copytree(recorded, place)
        self.place = place
        self.file = place / "log.db"

    def sql(self, statement: str, *parameters: object) -> None:
        """Change rows."""
        with sqlite3.connect(self.file) as connection:
            connection.execute(statement, parameters)
        connection.close()

    def values(self) -> list[bytes]:
        """Every event in log order."""
        connection = sqlite3.connect(self.file)
        rows = connection.execute("SELECT first, count, data FROM blocks ORDER BY first").fetchall()
        connection.close()
        return [value for row in rows for value in unpack(row, "")]

    def rewrite(self, change: Change) -> None:
        """Other events in blocks that are sound in themselves."""
        values = change(self.values())
        with sqlite3.connect(self.file) as connection:
            connection.execute("DELETE FROM blocks")
            connection.executemany("INSERT INTO blocks VALUES (?, ?, ?)", pack(values, 0))
        connection.close()


def _flipped(value: bytes, at: int) -> bytes:
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


def _event_changes(index: int) -> dict[str, Change]:
    return {
        "edited": lambda held: [*held[:index], _flipped(held[index], -9), *held[index + 1 :]],
        "spoilt": lambda held: [*held[:index], _flipped(held[index], 5), *held[index + 1 :]],
        "removed": lambda held: [*held[:index], *held[index + 1 :]],
        "repeated": lambda held: [*held[:index], held[index], *held[index:]],
        "moved": lambda held: [
            *held[: index - 1],
            held[index],
            held[index - 1],
            *held[index + 1 :],
        ],
        "cut": lambda held: held[:index],
    }


@pytest.mark.parametrize("kind", list(_event_changes(1)))
def test_every_single_change_of_an_event_on_disk_is_found(
    kind: str, recorded: Path, tmp_path: Path, verify: Callable[..., tuple[int, Any]]
) -> None:
    """Events cannot be changed behind the log's back, even in blocks with a right checksum."""
    missed: list[int] = []
    for index in range(1, EVENTS):
        disk = Disk(recorded, tmp_path / str(index))
        disk.rewrite(_event_changes(index)[kind])
        code, report = verify("--dir", disk.place)
        named = any(each["run_id"] for each in report["errors"])
        missed += [] if code == BROKEN and named else [index]

    assert missed == []


def test_a_chain_that_was_computed_anew_is_found_by_the_head(
    recorded: Path, tmp_path: Path, verify: Callable[..., tuple[int, Any]]
) -> None:
    """Who edits an event and mends all digests after it still meets the run's head."""

    def forged(held: list[bytes]) -> list[bytes]:
        spots = [at for at, value in enumerate(held) if CODEC.decode(value).run_id == "two"]
        head = bytes(32)
        for at in spots:
            event = CODEC.decode(held[at])
            event.prev_digest = head  # type: ignore[misc]  # an editor's work
            if event.seq == 3:
                event.draft = b'"harmless"'  # type: ignore[union-attr,misc]  # as above
            held[at] = CODEC.encode(event)
            head = sha256(held[at]).digest()
        return held

    disk = Disk(recorded, tmp_path / "data")
    disk.rewrite(forged)

    code, report = verify("--dir", disk.place)

    assert code == BROKEN
    assert [each["run_id"] for each in report["errors"]] == ["two"]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM runs WHERE run_id = 'two'",
        "UPDATE runs SET head = zeroblob(32) WHERE run_id = 'one'",
        "UPDATE runs SET seq = seq + 1 WHERE run_id = 'waiting'",
        "UPDATE runs SET status = 0 WHERE run_id = 'waiting'",
        "UPDATE runs SET due_us = NULL WHERE run_id = 'waiting'",
        "UPDATE runs SET run_id = 'three' WHERE run_id = 'two'",
        "UPDATE runs SET spans = (SELECT spans FROM runs WHERE run = 2) WHERE run = 1",
        "UPDATE runs SET spans = x'ff' WHERE run_id = 'one'",
        "UPDATE runs SET status = 77",
        "UPDATE runs SET head = 'text' WHERE run_id = 'one'",
        "UPDATE runs SET seq = 'text' WHERE run_id = 'one'",
        "DELETE FROM blocks WHERE first = (SELECT max(first) FROM blocks)",
        "DELETE FROM blocks WHERE first = 0",
        "UPDATE blocks SET data = x'0000' WHERE first = 0",
        "UPDATE blocks SET count = count + 1 WHERE first = 0",
        "UPDATE blocks SET data = (SELECT data FROM blocks WHERE first = 0)",
        "UPDATE blocks SET first = first + 100",
        "DELETE FROM blocks",
        "DELETE FROM runs",
        "DROP TABLE blocks",
    ],
)
def test_changed_rows_are_found(
    statement: str, recorded: Path, tmp_path: Path, verify: Callable[..., tuple[int, Any]]
) -> None:
    """What the log keeps beside the events has to agree with them."""
    disk = Disk(recorded, tmp_path / "data")
    disk.sql(statement)

    assert verify("--dir", disk.place)[0] in {BROKEN, UNREACHABLE}


def test_an_index_that_finds_a_run_no_more_is_found(
    recorded: Path, tmp_path: Path, verify: Callable[..., tuple[int, Any]]
) -> None:
    """A run whose events are whole, and which no command would give, is named."""
    disk = Disk(recorded, tmp_path / "data")
    with sqlite3.connect(disk.file) as connection:
        of_index = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_runs_1'"
        ((page,),) = connection.execute(of_index).fetchall()
    connection.close()
    whole = disk.file.read_bytes()
    keys = (page - 1) * PAGE_BYTES + 3  # two bytes: how many there are
    disk.file.write_bytes(whole[:keys] + b"\x00\x01" + whole[keys + 2 :])

    code, report = verify("--dir", disk.place)

    assert code == BROKEN
    assert [each["run_id"] for each in report["errors"]] == ["two", "waiting"]


def test_a_log_that_verifies_gives_the_same_export(
    recorded: Path, exported: list[bytes], tmp_path: Path, verify: Callable[..., tuple[int, Any]]
) -> None:
    """Bytes of the file that may change unnoticed are those in which no event stands."""
    disk = Disk(recorded, tmp_path / "data")
    whole = disk.file.read_bytes()
    draw = random.Random(11)
    again = tmp_path / "again.jsonl"
    missed: list[int] = []
    for at in sorted(draw.sample(range(len(whole)), 60)):
        disk.file.write_bytes(_flipped(whole, at))
        for beside in (disk.place / "log.db-wal", disk.place / "log.db-shm"):
            beside.unlink(missing_ok=True)
        if verify("--dir", disk.place)[0] != VERIFIED:
            continue
        main(["export", "--dir", str(disk.place), "-o", str(again), "--force"])
        missed += [] if again.read_bytes() == b"".join(exported) else [at]

    assert missed == []


def test_the_log_of_these_tests_is_whole(
    recorded: Path, verify: Callable[..., tuple[int, Any]]
) -> None:
    """What the others damage was right before."""
    log = SqliteLog.open_for_reading(recorded)
    end = asyncio.run(log.end())
    log.close()
    connection = sqlite3.connect(recorded / "log.db")
    (blocks,) = connection.execute("SELECT count(*) FROM blocks").fetchone()
    connection.close()

    assert end == EVENTS
    assert blocks > 1
    assert verify("--dir", recorded) == (VERIFIED, {"runs": 3, "events": EVENTS, "errors": []})
