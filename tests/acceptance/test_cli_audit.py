"""The auditor's commands: audit, explain, replay, verify, export, import, dead letters."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.acceptance.console import Console


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Console:
    """A folder with a run that was approved (after a wrong try) and one that is paused."""
    console = Console(tmp_path_factory.mktemp("template"))
    console.token = console.paused("r-1")
    console.hitl("decide", console.token, "perhaps", "--by", "eve")
    console.json("decide", console.token, "approve", "--by", "anna")
    console.token = console.paused("r-2")
    return console


@pytest.fixture
def console(template: Console, tmp_path: Path) -> Console:
    """The same, for one test alone."""
    return template.copied(tmp_path)


def test_explain_tells_a_gate_from_its_events(console: Console) -> None:
    """By token or by gate id: verdict, winner, and a sentence with its event for each why."""
    closed, waiting = console.json("explain", "r-1.3"), console.json("explain", console.token)

    assert set(closed) == {"gate_id", "verdict", "why", "winner", "proof"}
    assert (closed["verdict"], closed["winner"]["decided_by"]) == ("approved", "anna")
    assert [set(each) for each in closed["why"]] == [{"statement", "run_id", "seq"}] * len(
        closed["why"]
    )
    assert any("unknown_verdict" in each["statement"] for each in closed["why"])
    assert (waiting["gate_id"], waiting["verdict"], waiting["winner"]) == ("r-2.3", "pending", None)
    assert "eve" in console.hitl("explain", "r-1.3").out


def test_audit_lists_who_decided_what_and_what_was_refused(console: Console) -> None:
    """The decisions of a period in every format, the refused attempts beside them."""
    decision, attempt = console.json("audit")
    console.hitl("audit", "-o", "audit.html")
    wrote = console.json("audit", "--decider", "anna", "-o", "audit.csv")
    text = (console.folder / "audit.csv").read_text(encoding="utf-8")

    assert (decision["type"], decision["verdict"], decision["decided_by"]) == (
        "decision",
        "approve",
        "anna",
    )
    assert (attempt["reason"], attempt["decided_by"]) == ("unknown_verdict", "eve")
    assert (attempt["gate_id"], decision["gate_id"]) == ("r-1.3", "r-1.3")
    assert "perhaps by eve" in console.hitl("audit").out
    assert [
        json.loads(line) for line in console.hitl("audit", "--format", "jsonl").out.split("\n")[:2]
    ] == [decision, attempt]
    assert (wrote, len(text.splitlines())) == (
        {"file": "audit.csv", "decisions": 1, "attempts": 1},
        3,
    )
    assert "</html>" in (console.folder / "audit.html").read_text(encoding="utf-8")
    assert console.json("audit", "--until", "2020-01-01") == []


def test_an_audit_is_the_same_at_a_desk(console: Console, tmp_path: Path) -> None:
    """Everything comes from the events: an imported export gives the same page, byte for byte."""
    page = console.hitl("audit", "--format", "html").out
    console.json("export", "-o", "audit.jsonl")
    elsewhere = ("--dir", str(tmp_path / "desk"))
    console.json("import", "audit.jsonl", *elsewhere)

    assert console.hitl("audit", "--format", "html", *elsewhere).out == page


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("--since", "yesterday"), "as --since, found 'yesterday'"),
        (("--since", "2026-02-02", "--until", "2026-02-01"), "--since before"),
        (("--verdict", ""), "as --verdict"),
        (("--format", "xml"), "as --format"),
        (("--format", "csv", "--json"), "add -o FILE"),
        (("-o", "recipes.py"), "--force"),
        (("--from-topic",), "beside --from-topic"),
    ],
)
def test_a_wrong_filter_is_one_line(template: Console, wrong: tuple[str, ...], told: str) -> None:
    """Exit 2 and what was expected; nothing on stdout that could be taken for a report."""
    said = template.hitl("audit", *wrong)

    assert (said.code, told in said.err) == (2, True)
    assert "DECIDED" not in said.out


def test_an_audit_without_a_log_is_no_empty_report(template: Console) -> None:
    """A mistyped folder must not read as if nothing had ever been decided."""
    said = template.hitl("audit", "--dir", "nowhere", "--format", "csv")

    assert (said.code, said.out) == (5, "")


def test_replay_finds_the_first_step_that_differs(console: Console) -> None:
    """Exit 0 while the code fits, 3 with run, event, expected and found once it does not."""
    fields = {"run_id", "result", "at_seq", "expected", "found"}
    assert [set(each) for each in console.json("replay")] == [fields] * 2
    console.rewrite("run.step(write, request)", "run.step(publish, request)")
    said = console.hitl("replay", "r-1", "--json")

    (found,) = said.json
    assert (said.code, found["result"], found["at_seq"]) == (3, "diverged", 2)
    assert ("publish" in found["expected"], "write" in found["found"]) == (True, True)
    assert "run r-1, event 2" in said.err


def test_a_log_is_verified_and_an_edit_found(console: Console) -> None:
    """`verify` counts a whole log and exits 4 on an edited one, naming run and event."""
    good = console.json("verify")
    (block,) = _query(console, "SELECT data FROM blocks")
    edited = bytearray(block[0])
    edited[40] ^= 1
    _query(console, "UPDATE blocks SET data = ?", bytes(edited))
    said = console.hitl("verify", "--json")

    assert (good["runs"], good["errors"]) == (2, [])
    assert said.code == 4
    assert {each["run_id"] for each in said.json["errors"]} == {"r-1", "r-2"}
    assert console.hitl("verify", "r-1").code == 4
    assert console.hitl("show", "r-1").code == 5


def test_a_run_that_lost_its_last_event_is_found(console: Console) -> None:
    """The head that the log keeps of a run tells of a cut tail; other runs verify."""
    _query(console, "UPDATE runs SET head = zeroblob(32) WHERE run_id = 'r-2'")
    said = console.hitl("verify", "--json")

    assert (said.code, [each["run_id"] for each in said.json["errors"]]) == (4, ["r-2"])
    assert console.json("verify", "r-1")["errors"] == []
    assert console.hitl("verify", "nosuch").code == 4


def test_an_export_is_verified_without_a_log_and_imported_for_reading(
    console: Console, tmp_path: Path
) -> None:
    """What was exported shows the same elsewhere, no token in it, and nothing runs there."""
    streamed = console.hitl("export").out
    console.json("export", "-o", "audit.jsonl")
    text = (console.folder / "audit.jsonl").read_text(encoding="utf-8")
    shown = console.json("show", "r-1")
    elsewhere = ("--dir", str(tmp_path / "desk"))
    console.json("import", "audit.jsonl", *elsewhere)

    assert (text, "hitl_" in text) == (streamed, False)
    assert json.loads(text.splitlines()[-1])["runs"] == 2
    assert console.json("verify", "audit.jsonl", "--dir", "nowhere")["errors"] == []
    assert console.json("show", "r-1", *elsewhere) == shown
    assert console.json("verify", *elsewhere)["runs"] == 2
    assert console.hitl("export", *elsewhere).out == streamed
    assert console.hitl("run", "double", "--input", "1", *elsewhere).code == 2
    assert console.hitl("import", "audit.jsonl", *elsewhere).code == 2


def test_a_file_that_was_edited_is_found_and_not_imported(console: Console, tmp_path: Path) -> None:
    """Each kind of damage ends `verify FILE` with 4; `import` makes nothing of such a file."""
    path = console.folder / "audit.jsonl"
    console.json("export", "-o", "audit.jsonl")
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    swapped = [lines[0], lines[2], lines[1], *lines[3:]]
    edited = [lines[0].replace("Leave", "Stay!"), *lines[1:]]
    for damaged in (edited, swapped, lines[:-1], lines[1:], [*lines[:3], *lines[4:]]):
        path.write_text("".join(damaged), encoding="utf-8")
        assert console.hitl("verify", "audit.jsonl").code == 4
    said = console.hitl("import", "audit.jsonl", "--dir", str(tmp_path / "desk"), "--json")

    assert (said.code, said.json["errors"][0]["run_id"]) == (4, "r-1")
    assert not (tmp_path / "desk").exists()
    assert console.hitl("export", "-o", "audit.jsonl").code == 2
    assert console.hitl("export", "r-2", "-o", "audit.jsonl", "--force").code == 0
    assert console.json("verify", "audit.jsonl")["runs"] == 1


def test_an_import_joins_no_refused_records(console: Console) -> None:
    """A directory in which something was refused, and nothing ever ran, is not empty either."""
    console.json("export", "-o", "audit.jsonl", "--force")
    console.hitl("run", "nosuch", "--dir", "tried")
    said = console.hitl("import", "audit.jsonl", "--dir", "tried")

    assert (said.code, "expected an empty data directory" in said.err) == (2, True)
    assert len(console.json("dead-letters", "list", "--dir", "tried")) == 1


def test_an_import_that_was_killed_can_be_repeated(console: Console) -> None:
    """What is left of a log in the making is no log: the same command goes on, and leaves none."""
    console.json("export", "-o", "audit.jsonl", "--force")
    cut = console.folder / "cut"
    cut.mkdir()
    for name in ("log.db.new", "log.db.new-wal", "log.db.new-shm"):
        (cut / name).write_bytes(b"SQLite format 3")

    assert console.json("import", "audit.jsonl", "--dir", "cut")["runs"] == 2
    assert console.json("verify", "--dir", "cut")["runs"] == 2
    assert not [*cut.glob("*.new*")]

    (console.folder / "full").mkdir()
    (console.folder / "full" / "log.db.new.gz").touch()
    assert console.hitl("import", "audit.jsonl", "--dir", "full").code == 2


def test_what_has_no_place_is_a_dead_letter(console: Console) -> None:
    """A refused token is listed without itself, shown whole, replayed as a new one, discarded."""
    forged = console.token[:-1] + ("A" if console.token[-1] != "A" else "B")
    console.hitl("decide", forged, "approve")
    listed = console.hitl("dead-letters", "list", "--json")
    (letter,) = listed.json
    number = str(letter["number"])
    shown = console.json("dead-letters", "show", number)
    again = console.hitl("dead-letters", "replay", number, "--json")

    assert (letter["reason"], forged in listed.out) == ("invalid_token", False)
    assert json.loads(shown["value"])["token"] == forged
    assert (again.code, again.problem["code"]) == (1, "resume.invalid_token")
    (newer,) = console.json("dead-letters", "list")
    assert newer["number"] > letter["number"]
    console.json("dead-letters", "discard", str(newer["number"]))
    assert console.json("dead-letters", "list") == []


def test_a_command_without_its_recipe_can_be_brought_again(console: Console) -> None:
    """A start whose recipe was not named is a dead letter; with the recipe its replay runs."""
    modules = console.environment.pop("HITL_RECIPES")
    refused = console.hitl("run", "double", "--input", "4", "--json")
    (letter,) = console.json("dead-letters", "list")
    wanted = ("dead-letters", "replay", str(letter["number"]), "--recipes", modules)

    assert refused.problem["code"] == "command.unknown_recipe"
    assert "--recipes or HITL_RECIPES" in refused.err
    assert console.json(*wanted)["artefact"]["result"] == 8
    assert console.json("dead-letters", "list") == []


def _query(console: Console, sql: str, *parameters: object) -> list[tuple[bytes, ...]]:
    """What somebody with an SQLite tool does to the log."""
    with sqlite3.connect(console.data / "log.db") as connection:
        found: list[tuple[bytes, ...]] = connection.execute(sql, parameters).fetchall()
    connection.close()
    return found
