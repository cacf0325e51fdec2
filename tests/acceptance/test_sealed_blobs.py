"""Large drafts in checkpoints and archives, and in the share of each process that verifies."""

import asyncio
from pathlib import Path

import pytest

from hitl_events import Runtime
from tests.acceptance.blob_child import large, write
from tests.acceptance.sealed import Hitl, histories
from tests.acceptance.test_cli_blobs import blob_of

RECIPES = str(Path(__file__).with_name("blob_child.py"))
ENDED = ["one", "two", "three"]
NOW = ("--closed-before", "0s")
BROKEN = 4


async def _record(place: Path) -> None:
    async with Runtime.open(place, recipes=[large]) as runtime:
        for run_id in (*ENDED, "waiting"):
            paused = await runtime.run(large, run_id, run_id=run_id)
            if run_id != "waiting":
                await runtime.decide(paused.token or "", "approve", decided_by="Ada")


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Three runs that ended and one that waits, each with a large draft."""
    asyncio.run(_record(tmp_path / "data"))
    return tmp_path / "data"


def _drafts(folder: Path) -> set[str]:
    return {path.name for path in (folder / "blobs").rglob("*") if path.is_file()}


def test_an_archive_holds_the_drafts(recorded: Path, tmp_path: Path, hitl: Hitl) -> None:
    """Its files verify by themselves; restored, each ended run is there with its draft."""
    folder, desk = tmp_path / "archive", tmp_path / "desk"

    made = hitl("archive", *NOW, "-o", folder, "--dir", recorded)
    files = sorted(folder.iterdir())
    verified = hitl("verify", *files)
    imported = hitl("import", *files, "--dir", desk)

    assert (made[0], verified[0], imported[0]) == (0, 0, 0)
    assert hitl("verify", "--dir", desk)[1] == {"runs": 3, "events": 18, "errors": []}
    assert _drafts(recorded) - _drafts(desk) == {blob_of(recorded, "waiting").name}
    for run_id in ENDED:
        there, here = (hitl("show", run_id, "--dir", place)[1] for place in (recorded, desk))
        assert here["artefact"] == there["artefact"]
        assert here["artefact"]["gates"]["review"]["draft"] == write(run_id)


def test_a_run_in_two_files_of_an_archive_has_its_draft(
    recorded: Path, tmp_path: Path, hitl: Hitl
) -> None:
    """Archived again because of a late refusal, it is restored once, as it is in the log."""
    folder, desk = tmp_path / "archive", tmp_path / "desk"
    (gate,) = hitl("pending", "--dir", recorded)[1]
    decide = ("decide", gate["token"], "--dir", recorded, "--recipes", RECIPES)
    hitl(*decide, "approve")
    hitl("archive", *NOW, "-o", folder, "--dir", recorded)
    assert hitl(*decide, "deny")[0] == 1

    hitl("archive", *NOW, "-o", folder, "--dir", recorded)
    files = sorted(folder.iterdir())
    imported = hitl("import", *files, "--dir", desk)

    assert (len(files), imported[0]) == (2, 0)
    assert histories(desk) == histories(recorded)
    assert _drafts(desk) == _drafts(recorded)
    assert hitl("verify", "--dir", desk)[0] == 0


@pytest.mark.parametrize("change", ["missing", "changed"])
def test_a_run_without_its_draft_is_not_archived(
    recorded: Path, tmp_path: Path, hitl: Hitl, change: str
) -> None:
    """No file gets a name that does not hold all of its runs; the run is named."""
    path = blob_of(recorded, "two")
    path.write_bytes(path.read_bytes().replace(b"clause", b"Clause", 1))
    if change == "missing":
        path.unlink()
    folder = tmp_path / "archive"

    code, report, _ = hitl("archive", *NOW, "-o", folder, "--dir", recorded)

    assert (code, list(folder.iterdir())) == (BROKEN, [])
    assert "two" in report["errors"][0]["problem"]
    assert path.name in report["errors"][0]["problem"]


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_checkpoint_does_not_hide_a_missing_draft(
    recorded: Path, tmp_path: Path, hitl: Hitl, jobs: int
) -> None:
    """Against one, and in several processes, its events are named; a new one is not signed."""
    key, file = tmp_path / "key", tmp_path / "checkpoint"
    hitl("checkpoint", "--new-key", key)
    signed = hitl("checkpoint", "--sign", key, "-o", file, "--dir", recorded)
    sound = hitl("verify", "--against", file, "--jobs", jobs, "--dir", recorded)
    blob_of(recorded, "two").unlink()

    code, report, _ = hitl("verify", "--against", file, "--jobs", jobs, "--dir", recorded)
    again = hitl("checkpoint", "--sign", key, "-o", tmp_path / "other", "--dir", recorded)

    assert (signed[0], sound[0], code, again[0]) == (0, 0, BROKEN, BROKEN)
    assert [(each["run_id"], each["seq"]) for each in report["errors"]] == [("two", 2), ("two", 3)]
    assert not (tmp_path / "other").exists()
