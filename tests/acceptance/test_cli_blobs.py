"""Large drafts, kept beside the log: what a crash leaves, and what `hitl verify` finds."""

import asyncio
import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hitl_events import Runtime
from hitl_services.cli.main import main
from tests.acceptance.blob_child import SIZE, large, write

CHILD = Path(__file__).with_name("blob_child.py")
VERIFIED, DIVERGED, BROKEN = 0, 3, 4
POINTS = ("before_blob", "before_named", "half_written", "after_named", "after_blob")


def _hitl(capsys: pytest.CaptureFixture[str], place: Path, *words: str) -> tuple[int, Any]:
    code = main([*words, "--dir", str(place), "--json"])
    return code, json.loads(capsys.readouterr().out)


async def _record(place: Path) -> None:
    async with Runtime.open(place, recipes=[large]) as runtime:
        for run_id in ("one", "two"):
            paused = await runtime.run(large, run_id, run_id=run_id)
        await runtime.decide(paused.token or "", "approve", decided_by="Ada")


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A directory with a run that waits and one that ended, each with a large draft."""
    asyncio.run(_record(tmp_path / "data"))
    return tmp_path / "data"


def blob_of(place: Path, mark: str) -> Path:
    """The file of the draft with that mark."""
    found = [
        path
        for path in (place / "blobs").rglob("*")
        if path.is_file() and json.loads(path.read_bytes())["mark"] == mark
    ]
    assert len(found) == 1
    return found[0]


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_leaves_at_worst_a_blob_that_nothing_names(
    point: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed between blob and event: the log never names a blob that is not there."""
    command = [sys.executable, str(CHILD), str(tmp_path / "data")]

    killed = subprocess.run([*command, point], capture_output=True, text=True, check=False)
    after_crash = _hitl(capsys, tmp_path / "data", "verify")
    again = subprocess.run([*command, "none"], capture_output=True, text=True, check=True)
    in_the_end = _hitl(capsys, tmp_path / "data", "verify")

    assert killed.returncode == -signal.SIGKILL
    assert after_crash[0] == VERIFIED
    assert again.stdout == f"published a of {len(write('a')['text'])}"
    assert in_the_end == (VERIFIED, {"runs": 1, "events": 6, "errors": []})


@pytest.mark.slow
def test_a_crash_after_the_commit_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The event that names the blob is there, and so is the blob."""
    command = [sys.executable, str(CHILD), str(tmp_path / "data")]

    killed = subprocess.run([*command, "after_append"], capture_output=True, check=False)
    again = subprocess.run([*command, "none"], capture_output=True, text=True, check=True)

    assert killed.returncode == -signal.SIGKILL
    assert again.stdout == f"published a of {len(write('a')['text'])}"
    assert _hitl(capsys, tmp_path / "data", "verify")[0] == VERIFIED


@pytest.mark.parametrize("change", ["missing", "cut", "grown", "empty", "a folder"])
def test_verify_finds_what_became_of_a_blob(
    recorded: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    """Each event that names it is named, by run and seq; the other run is sound."""
    path = blob_of(recorded, "one")
    data = path.read_bytes()
    path.unlink()
    match change:
        case "a folder":
            path.mkdir()
        case "missing":
            pass
        case _:
            path.write_bytes({"cut": data[:-1], "grown": data + b" ", "empty": b""}[change])

    code, report = _hitl(capsys, recorded, "verify")

    assert code == BROKEN
    assert [(each["run_id"], each["seq"]) for each in report["errors"]] == [("one", 2), ("one", 3)]
    assert all(path.name in each["problem"] for each in report["errors"])


def test_verify_finds_any_changed_byte_of_a_blob(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hundred random changes, all found, by run and seq."""
    path, chance = blob_of(recorded, "two"), random.Random(11)
    data = path.read_bytes()
    found: list[Any] = []
    for _ in range(100):
        spot = chance.randrange(len(data))
        changed = bytes([data[spot] ^ chance.randrange(1, 256)])
        path.write_bytes(data[:spot] + changed + data[spot + 1 :])

        code, report = _hitl(capsys, recorded, "verify", "two")

        found.append((code, [(each["run_id"], each["seq"]) for each in report["errors"]]))
    assert found == [(BROKEN, [("two", 2), ("two", 3)])] * 100


def test_an_exported_file_holds_the_drafts(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file without the system: it verifies, and once imported shows the same outcomes."""
    file, desk = tmp_path / "audit.jsonl", tmp_path / "desk"

    exported = main(["export", "-o", str(file), "--dir", str(recorded)])
    verified = main(["verify", str(file)])
    imported = main(["import", str(file), "--dir", str(desk)])
    capsys.readouterr()

    assert (exported, verified, imported) == (0, VERIFIED, 0)
    assert _hitl(capsys, desk, "verify")[0] == VERIFIED
    for run_id in ("one", "two"):
        there = _hitl(capsys, recorded, "show", run_id)[1]
        here = _hitl(capsys, desk, "show", run_id)[1]
        assert here["artefact"] == there["artefact"]
        assert here["trace"] == there["trace"]
    assert main(["export", "--dir", str(desk)]) == 0
    assert capsys.readouterr().out == file.read_text(encoding="utf-8")


def test_each_draft_stands_once_in_a_run_of_a_file(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line of a blob comes right before the first event that names it, readable."""
    file = tmp_path / "audit.jsonl"
    main(["export", "-o", str(file), "--dir", str(recorded)])
    capsys.readouterr()

    lines = [json.loads(line) for line in file.read_bytes().splitlines()]

    types = [line["type"] for line in lines]
    assert types[:4] == ["RunStarted", "Blob", "StepCompleted", "GatePaused"]
    assert types.count("Blob") == 2
    assert lines[1]["json"] == write("one")
    assert lines[2]["output"] == {key: lines[1][key] for key in ("sha256", "bytes")}
    assert file.stat().st_size < 3 * SIZE


def _changed(lines: list[bytes], how: str) -> list[bytes]:
    blob = lines[1]
    assert json.loads(blob)["type"] == "Blob"
    match how:
        case "removed":
            return [lines[0], *lines[2:]]
        case "edited":
            return [lines[0], blob.replace(b"clause by", b"clause my", 1), *lines[2:]]
        case "another name":
            return [lines[0], blob.replace(b'"sha256":"', b'"sha256":"0', 1), *lines[2:]]
        case "moved":
            return [lines[0], lines[2], blob, *lines[3:]]
        case "twice":
            return [lines[0], blob, *lines[1:]]
        case "repeated":
            return [*lines[:3], blob, *lines[3:]]
        case "at the end":
            return [*lines[:-1], blob, lines[-1]]
        case _:
            return [lines[0], b'{"type":"Blob"}\n', *lines[1:]]


@pytest.mark.parametrize(
    "how",
    [
        "removed",
        "edited",
        "another name",
        "moved",
        "twice",
        "repeated",
        "at the end",
        "no blob",
    ],
)
def test_verify_finds_what_became_of_a_blob_in_a_file(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    """A line of a blob that is edited, removed, moved or put in is found without a log."""
    file = tmp_path / "audit.jsonl"
    main(["export", "-o", str(file), "--dir", str(recorded)])
    lines = file.read_bytes().splitlines(keepends=True)
    capsys.readouterr()

    file.write_bytes(b"".join(_changed(lines, how)))

    code, report = _hitl(capsys, recorded, "verify", str(file))
    assert code == BROKEN
    if how in {"removed", "edited"}:
        assert ("one", 2) in [(each["run_id"], each["seq"]) for each in report["errors"]]


def test_a_missing_blob_is_missing_in_the_file_as_well(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An export of a damaged store does not hide it, says so, and holds all the rest."""
    blob_of(recorded, "one").unlink()
    file = tmp_path / "audit.jsonl"

    exported = main(["export", "-o", str(file), "--dir", str(recorded)])
    assert "found 1 missing or changed" in capsys.readouterr().err
    code, report = _hitl(capsys, recorded, "verify", str(file))

    assert (exported, code) == (0, BROKEN)
    assert [(each["run_id"], each["seq"]) for each in report["errors"]] == [("one", 2), ("one", 3)]


def test_reading_goes_on_without_a_blob(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing is shown by its digest; nobody else's list ends over it."""
    path = blob_of(recorded, "one")
    path.unlink()

    code, shown = _hitl(capsys, recorded, "show", "one")
    listed = [_hitl(capsys, recorded, command)[0] for command in ("pending", "runs", "audit")]

    assert (code, listed) == (0, [0, 0, 0])
    draft = shown["artefact"]["gates"]["review"]["draft"]
    assert draft["sha256"] == path.name


def test_a_page_without_a_blob_says_what_is_known(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A draft that is missing stands there by its digest, which is still that of the draft."""
    path, page = blob_of(recorded, "one"), tmp_path / "page.html"
    path.unlink()

    code = main(["export", "one", "--format", "html", "-o", str(page), "--dir", str(recorded)])

    assert code == 0, capsys.readouterr().err
    assert path.name in page.read_text(encoding="utf-8")
    assert "another digest" not in page.read_text(encoding="utf-8")


RECIPES = str(Path(__file__).with_name("blob_child.py"))


def test_whatever_shows_a_run_shows_its_drafts(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lists, from the log and from a read model, pages and replays see the data."""
    page = tmp_path / "page.html"
    from_log = _hitl(capsys, recorded, "pending")[1]
    main(["rebuild", "--dir", str(recorded)])
    main(["export", "--format", "html", "-o", str(page), "--dir", str(recorded)])
    capsys.readouterr()

    from_model = _hitl(capsys, recorded, "pending")
    replayed = _hitl(capsys, recorded, "replay", "--recipes", RECIPES)
    verified = _hitl(capsys, recorded, "verify")

    assert [each["draft"] for each in from_log] == [write("one")]
    assert from_model == (0, from_log)
    assert [each["result"] for each in replayed[1]] == ["ok", "ok"]
    assert verified[0] == VERIFIED
    assert page.read_text(encoding="utf-8").count(write("one")["text"]) >= 1


def test_a_read_model_does_not_depend_on_blobs(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is folded from the events alone: the same with and without the data (P8)."""
    main(["rebuild", "--dir", str(recorded)])
    blob_of(recorded, "one").unlink()
    capsys.readouterr()

    compared = _hitl(capsys, recorded, "rebuild", "--check")
    replayed = _hitl(capsys, recorded, "replay", "--recipes", RECIPES)

    assert compared[0] == 0
    assert replayed[0] == DIVERGED
    assert [each["result"] for each in replayed[1]] == ["blob.missing", "ok"]
