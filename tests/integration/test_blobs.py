"""What is too large for an event, on a cluster: a folder that engines and readers share."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.console import Console
from tests.integration.stand_in import engine

TITLE = "clause " * 500


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_engines_and_readers_share_a_folder(console: Console) -> None:
    """Two engines, one after the other: drafts are read where they were not written."""
    folder = console.folder / "shared"
    console.environment |= {
        "HITL_STATE_DIR": str(console.folder / "state"),
        "HITL_BLOBS": folder.as_uri(),
        "HITL_BLOB_LIMIT": "1k",
    }
    given = json.dumps({"title": TITLE})
    with engine(console):
        paused = console.json("run", "policy", "--run-id", "r-1", "--input", given)
    console.environment["HITL_STATE_DIR"] = str(console.folder / "other")
    with engine(console):
        decided = console.json("decide", paused["token"], "approve")

    desk = console.folder / "desk"
    exported = console.hitl("export", "-o", "audit.jsonl")
    verified = console.hitl("verify", "audit.jsonl")
    whole = console.hitl("verify")
    del console.environment["HITL_KAFKA_BOOTSTRAP"]
    imported = console.hitl("import", "audit.jsonl", "--dir", str(desk))
    at_the_desk = console.json("show", "r-1", "--dir", str(desk))

    assert _files(folder) != []
    assert TITLE in json.dumps(paused["artefact"]["gates"])
    assert decided["status"] == "ok"
    assert [said.code for said in (exported, verified, whole, imported)] == [0, 0, 0, 0]
    assert at_the_desk["artefact"] == decided["artefact"]


def test_a_read_model_and_an_archive_of_a_cluster(console: Console) -> None:
    """Rows have the reference, lists the draft; the archive has all, and nothing without it."""
    folder, model = console.folder / "shared", console.folder / "model.db"
    console.environment |= {
        "HITL_STATE_DIR": str(console.folder / "state"),
        "HITL_BLOBS": str(folder),
        "HITL_BLOB_LIMIT": "1k",
        "HITL_READ_MODEL": f"sqlite:///{model}",
    }
    with engine(console):
        for run_id in ("r-1", "r-2"):
            given = json.dumps({"title": TITLE + run_id})
            paused = console.json("run", "policy", "--run-id", run_id, "--input", given)
        console.json("decide", paused["token"], "approve")
    console.json("rebuild")
    pending, from_topic = console.json("pending"), console.json("pending", "--from-topic")
    compared = console.json("rebuild", "--check")
    archived = console.json("archive", "--closed-before", "0s", "-o", "archive")
    verified = console.json("verify", "--jobs", "3")
    for path in _files(folder):
        path.unlink()
    again = console.json("rebuild", "--check")
    missing = console.hitl("verify", "--jobs", "3", "--json")
    refused = console.hitl("archive", "--closed-before", "0s", "-o", "other")
    (file,) = _files(console.folder / "archive")
    sound = console.json("verify", str(file))

    assert TITLE in json.dumps(pending[0]["draft"])
    assert pending == from_topic
    assert [each["runs"] for each in archived["files"]] == [1]
    assert (compared, again) == ({"runs": 2, "errors": []},) * 2
    assert (verified["errors"], sound["errors"], sound["runs"]) == ([], [], 1)
    assert (missing.code, refused.code, _files(console.folder / "other")) == (4, 4, [])
    assert {each["run_id"] for each in missing.json["errors"]} == {"r-1", "r-2"}


def test_verify_of_a_topic_names_what_is_missing(console: Console) -> None:
    """A blob that is gone, and a folder that nobody names: exit 4, by run and seq."""
    folder = console.folder / "shared"
    console.environment |= {
        "HITL_STATE_DIR": str(console.folder / "state"),
        "HITL_BLOBS": str(folder),
        "HITL_BLOB_LIMIT": "1k",
    }
    with engine(console):
        given = json.dumps({"title": TITLE})
        console.json("run", "policy", "--run-id", "r-1", "--input", given)
    for path in _files(folder):
        path.unlink()

    missing = console.hitl("verify", "--json")
    del console.environment["HITL_BLOBS"]
    nowhere = console.hitl("verify", "--json")
    replayed = console.hitl("replay", "r-1")

    assert (missing.code, nowhere.code) == (4, 4)
    problems = json.loads(missing.out)["errors"]
    assert {(each["run_id"], each["seq"]) for each in problems} == {("r-1", 2), ("r-1", 3)}
    assert "HITL_BLOBS names it" in json.loads(nowhere.out)["errors"][0]["problem"]
    assert (replayed.code, "HITL_BLOBS names it" in replayed.err) == (3, True)


def test_what_was_decided_is_told_without_the_folder(console: Console) -> None:
    """A desk without it sees that the decision counted, not an error as if it had not."""
    console.environment |= {
        "HITL_STATE_DIR": str(console.folder / "state"),
        "HITL_BLOBS": str(console.folder / "shared"),
        "HITL_BLOB_LIMIT": "1k",
    }
    with engine(console):
        given = json.dumps({"title": TITLE})
        paused = console.json("run", "policy", "--run-id", "r-1", "--input", given)
        console.environment["HITL_BLOBS"] = str(console.folder / "unmounted" / "shared")
        decided = console.json("decide", paused["token"], "approve")
        refused = console.hitl("decide", paused["token"], "deny", "--json")
    unreadable = console.hitl("show", "r-1", "--from-topic")

    assert decided["status"] == "ok"
    assert set(decided["artefact"]["gates"]["review"]["draft"]) == {"sha256", "bytes"}
    assert (refused.code, json.loads(refused.out)["seq"]) == (1, decided["seq"] + 1)
    assert (unreadable.code, "HITL_BLOBS" in unreadable.err) == (5, True)
