"""`hitl archive`: ended runs in verified files, whatever is killed, changed or repeated."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sqlite3
import subprocess
from functools import partial
from pathlib import Path

import pytest
import zstandard

from benchmarks.bulk import fill, samples
from hitl_events.adapters.sqlite.blocks import pack, unpack
from hitl_services.cli import archive_folder
from tests.acceptance.console import DONE_S_MAX, HITL
from tests.acceptance.sealed import Histories, Hitl, decide, histories, record
from tests.acceptance.waiting import until

ENDED = [f"ended-{number}" for number in range(6)]
NOW = ("--closed-before", "0s")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with some runs that ended and one that waits."""
    data = tmp_path_factory.mktemp("log") / "data"
    asyncio.run(record(data, ENDED, ["waiting"]))
    return data


def _written(path: Path) -> tuple[int, int, int]:
    """Which file it is, how long, and when it was written; when it was read is no matter."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def _archived(hitl: Hitl, data: Path, folder: Path) -> Path:
    """The one file of an archive of all that has ended."""
    assert hitl("archive", *NOW, "-o", folder, "--dir", data)[0] == 0
    (file,) = _files(folder)
    return file


def _restored(hitl: Hitl, folder: Path, place: Path) -> Histories:
    """What an import of all files of the archive holds; verified."""
    code, _, said = hitl("import", *_files(folder), "--dir", place)
    assert code == 0, said
    assert hitl("verify", "--dir", place)[0] == 0
    return histories(place)


def _ended(data: Path) -> Histories:
    return {run_id: held for run_id, held in histories(data).items() if run_id != "waiting"}


def test_ended_runs_come_back_byte_for_byte(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hitl: Hitl
) -> None:
    """Files of a bounded size, each sound in itself, together hold every ended run, in order."""
    monkeypatch.setattr(archive_folder, "FILE_EVENTS_MAX", 8)
    folder = tmp_path / "archive"

    code, made, _ = hitl("archive", *NOW, "-o", folder, "--dir", recorded)

    assert (code, [each["runs"] for each in made["files"]]) == (0, [2, 2, 2])
    assert sorted(each["file"] for each in made["files"]) == [each.name for each in _files(folder)]
    assert hitl("verify", *_files(folder), "--jobs", "2")[1]["runs"] == 6
    restored = _restored(hitl, folder, tmp_path / "restored")
    assert (list(restored), restored) == (ENDED, _ended(recorded))


def test_what_is_archived_is_not_written_again(recorded: Path, tmp_path: Path, hitl: Hitl) -> None:
    """A second run adds what ended since, and a third one nothing."""
    data, folder = shutil.copytree(recorded, tmp_path / "data"), tmp_path / "archive"
    first = _archived(hitl, data, folder)
    before = _written(first)
    asyncio.run(decide(data, "waiting"))

    again = hitl("archive", *NOW, "-o", folder, "--dir", data)[1]["files"]
    third = hitl("archive", *NOW, "-o", folder, "--dir", data)[1]["files"]

    assert ([each["runs"] for each in again], third) == ([1], [])
    assert _written(first) == before
    assert _restored(hitl, folder, tmp_path / "restored") == histories(data)


def test_runs_of_several_files_come_back_in_their_order(tmp_path: Path, hitl: Hitl) -> None:
    """Archived as they end, they are restored as they started: a report says the same as before."""
    data, folder, place = tmp_path / "data", tmp_path / "archive", tmp_path / "restored"
    asyncio.run(record(data, [], ["first"]))
    asyncio.run(record(data, ["second"], ["third"]))
    hitl("archive", *NOW, "-o", folder, "--dir", data)
    for run_id in ("third", "first"):
        asyncio.run(decide(data, run_id))
    hitl("archive", *NOW, "-o", folder, "--dir", data)

    restored = _restored(hitl, folder, place)

    assert list(restored) == list(histories(data)) == ["first", "second", "third"]
    assert hitl("audit", "--dir", place) == hitl("audit", "--dir", data)


def test_a_refusal_after_the_end_is_archived_too(
    recorded: Path, tmp_path: Path, hitl: Hitl
) -> None:
    """A run that got one later is written again as a whole; the longer history is restored."""
    data, folder = tmp_path / "data", tmp_path / "archive"
    asyncio.run(record(data, [], ["late"]))
    token = hitl("pending", "--dir", data)[1][0]["token"]
    hitl("decide", token, "approve", "--dir", data, "--recipes", "tests/acceptance/sealed.py")
    hitl("archive", *NOW, "-o", folder, "--dir", data)
    assert hitl("decide", token, "deny", "--dir", data)[0] == 1

    again = hitl("archive", *NOW, "-o", folder, "--dir", data)[1]["files"]

    assert ([each["events"] for each in again], len(_files(folder))) == ([6], 2)
    assert _restored(hitl, folder, tmp_path / "restored") == histories(data)


def test_only_runs_that_were_closed_before_are_archived(
    recorded: Path, tmp_path: Path, hitl: Hitl
) -> None:
    """Of a time before all of them there is nothing to write, and no empty file."""
    code, made, _ = hitl(
        "archive", "--closed-before", "2020-01-01", "-o", tmp_path / "a", "--dir", recorded
    )

    assert (code, made["files"], _files(tmp_path / "a")) == (0, [], [])


def test_every_change_of_an_archived_file_is_found(
    recorded: Path, tmp_path: Path, hitl: Hitl
) -> None:
    """A flipped bit, a cut, a foreign tail; and a run taken out by somebody who mends the rest."""
    folder = tmp_path / "archive"
    file = _archived(hitl, recorded, folder)
    whole = file.read_bytes()
    changes = [
        whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :] for at in range(0, len(whole), 197)
    ]
    changes += [whole[: len(whole) // 2], whole[:-3], whole + b"x", b""]
    hitl("export", *ENDED[1:], "-o", tmp_path / "fewer.jsonl", "--dir", recorded)
    changes.append(zstandard.compress((tmp_path / "fewer.jsonl").read_bytes()))

    missed: list[int] = []
    for number, changed in enumerate(changes):
        file.write_bytes(changed)
        code, report, _ = hitl("verify", file)
        imported = hitl("import", file, "--dir", tmp_path / "restored")[0]
        sound = code == 0 and report["runs"] == 6  # a bit that means nothing to who unpacks it
        missed += [] if sound or (code, imported) == (4, 4) else [number]
        shutil.rmtree(tmp_path / "restored", ignore_errors=True)

    assert missed == []


def test_a_damaged_archive_is_added_to_no_further(
    recorded: Path, tmp_path: Path, hitl: Hitl
) -> None:
    """Who can not tell what it holds must not go on as if it held nothing."""
    folder = tmp_path / "archive"
    file = _archived(hitl, recorded, folder)
    file.write_bytes(file.read_bytes()[:-40])

    code, report, _ = hitl("archive", *NOW, "-o", folder, "--dir", recorded)

    assert (code, file.name in report["errors"][0]["problem"]) == (4, True)
    assert _files(folder) == [file]


def test_a_broken_run_gets_into_no_file(recorded: Path, tmp_path: Path, hitl: Hitl) -> None:
    """A file that does not verify when it is read back has no name, and is removed."""
    data, folder = shutil.copytree(recorded, tmp_path / "data"), tmp_path / "archive"
    with sqlite3.connect(data / "log.db") as connection:
        rows = connection.execute("SELECT first, count, data FROM blocks ORDER BY first").fetchall()
        values = [held for row in rows for held in unpack(row, "")]
        values[9] = values[9][:-9] + bytes([values[9][-9] ^ 1]) + values[9][-8:]
        connection.execute("DELETE FROM blocks")
        connection.executemany("INSERT INTO blocks VALUES (?, ?, ?)", pack(values, 0))
    connection.close()

    code, report, _ = hitl("archive", *NOW, "-o", folder, "--dir", data)

    assert (code, ENDED[1] in report["errors"][0]["problem"]) == (4, True)
    assert _files(folder) == []


def test_two_histories_of_one_run_are_not_imported(
    recorded: Path, tmp_path: Path, hitl: Hitl
) -> None:
    """Files of different logs that contradict each other stay apart."""
    other = tmp_path / "other"
    asyncio.run(record(other, ENDED[:1]))
    for number, data in enumerate((recorded, other)):
        hitl("export", ENDED[0], "-o", tmp_path / f"{number}.jsonl", "--dir", data)

    files = [tmp_path / "0.jsonl", tmp_path / "1.jsonl"]
    code, _, said = hitl("import", *files, "--dir", tmp_path / "restored")

    assert (code, "another in a second file" in said) == (5, True)
    assert not (tmp_path / "restored" / "log.db").exists() or not histories(tmp_path / "restored")


@pytest.mark.parametrize(
    ("line", "code", "part"),
    [
        (["archive", "-o", "a"], 2, "--closed-before"),
        (["archive", "--closed-before", "soon", "-o", "a"], 2, "as --closed-before"),
        (["archive", *NOW], 2, "-o"),
        (["archive", *NOW, "-o", ""], 2, "found an empty name"),
        (["archive", *NOW, "-o", "data/log.db"], 1, "expected to write into the archive"),
        (["archive", *NOW, "-o", "/proc/nothing"], 1, "expected to write into the archive"),
        (["archive", *NOW, "-o", "a", "--dir", "nowhere"], 5, "expected a log"),
        (["import", "nothing", "--dir", "b"], 2, "expected a file to import"),
        (["import", "n" * 5_000, "--dir", "b"], 2, "expected a file to import"),
    ],
)
def test_a_wrong_line_says_what_was_expected(
    line: list[str],
    code: int,
    part: str,
    recorded: Path,
    monkeypatch: pytest.MonkeyPatch,
    hitl: Hitl,
) -> None:
    """One line and its exit code; nothing is made."""
    monkeypatch.chdir(recorded.parent)
    monkeypatch.setenv("HITL_DATA", "data")

    found, _, said = hitl(*line)

    assert (found, part in said) == (code, True), said
    assert [each.name for each in _files(recorded.parent)] == ["data"]


def test_an_archive_that_is_killed_leaves_nothing_half_done(tmp_path: Path, hitl: Hitl) -> None:
    """After any kill -9 all files that have a name are sound, and the next run completes them."""
    data, folder = tmp_path / "data", tmp_path / "archive"
    fill(data, samples(tmp_path / "sample", count=2, done=True), 1_200)
    command = [HITL, "archive", *NOW, "-o", str(folder), "--dir", str(data)]
    for least in (0, 10_000):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        new = folder / f"{process.pid}.unfinished"
        until(partial(_has, new, least), "a file is being written")
        process.send_signal(signal.SIGKILL)
        assert process.wait(DONE_S_MAX) == -signal.SIGKILL
        assert [each.suffix for each in _files(folder)] == [".unfinished"]

    done = subprocess.run([*command, "--json"], check=True, capture_output=True, timeout=DONE_S_MAX)

    assert [each["runs"] for each in json.loads(done.stdout)["files"]] == [1_200]
    (file,) = _files(folder)
    assert hitl("verify", file)[1]["runs"] == 1_200


def _has(path: Path, least_bytes: int) -> bool:
    return path.exists() and path.stat().st_size >= least_bytes
