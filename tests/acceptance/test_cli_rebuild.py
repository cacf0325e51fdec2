"""`hitl rebuild`, and the lists that are read from what it makes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.acceptance.console import Console


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Console:
    """A folder with a run that was approved, one that was denied and two that are paused."""
    console = Console(tmp_path_factory.mktemp("template"))
    for number, verdict in enumerate(("approve", "deny", None, None), 1):
        console.token = console.paused(f"r-{number}", f"Text {number}")
        if verdict is not None:
            console.json("decide", console.token, verdict, "--by", "anna")
    return console


@pytest.fixture
def console(template: Console, tmp_path: Path) -> Console:
    """The same, for one test alone."""
    return template.copied(tmp_path)


_LISTS = (
    ("pending",),
    ("pending", "--recipe", "policy", "--limit", "1"),
    ("pending", "--recipe", "other"),
    ("pending", "--older-than", "1h"),
    ("runs",),
    ("runs", "--status", "paused"),
    ("runs", "--status", "ok", "--limit", "1"),
    ("runs", "--recipe", "policy", "--limit", "3"),
)


def test_lists_say_the_same_with_a_read_model_and_without(console: Console) -> None:
    """Each option, as JSON and as a page, and also after a decision since it was built."""
    before = [console.json(*each) for each in _LISTS]
    said = console.json("rebuild")
    after = [console.json(*each) for each in _LISTS]

    assert said["events"] == 6 + 5 + 3 + 3
    assert before == after
    assert "1 more left out by --limit" in console.hitl("pending", "--limit", "1").out
    console.json("decide", console.token, "approve")
    assert [each["run_id"] for each in console.json("pending")] == ["r-3"]
    assert len(console.json("runs", "--status", "ok")) == 3


def test_a_check_finds_what_was_changed_and_a_rebuild_mends_it(console: Console) -> None:
    """Equal is 0; a changed row is one line with run and event, exit 4, also as JSON."""
    none = console.hitl("rebuild", "--check")
    assert (none.code, "run `hitl rebuild`" in none.err) == (5, True)
    console.json("rebuild")
    assert console.json("rebuild", "--check") == {"runs": 4, "errors": []}
    with sqlite3.connect(console.data / "read-model.db") as connection:
        connection.execute("UPDATE decisions SET decided_by = 'eve' WHERE run_id = 'r-2'")
    connection.close()
    said, page = console.hitl("rebuild", "--check", "--json"), console.hitl("rebuild", "--check")

    (error,) = said.json["errors"]
    assert (said.code, page.code) == (4, 4)
    assert (error["run_id"], error["seq"]) == ("r-2", 4)
    assert "run r-2, event 4" in page.err
    verified = console.hitl("verify", "--json")
    assert (verified.code, verified.json["errors"][0]["run_id"]) == (4, "r-2")
    assert verified.json["errors"][0]["problem"].startswith("read model: ")
    console.json("rebuild")
    assert console.hitl("rebuild", "--check").code == 0


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE places SET next_offset = 7777",
        "UPDATE places SET next_offset = 3",
        "UPDATE places SET last_offset = NULL",
        "UPDATE places SET last_run = 'r-2'",
        "UPDATE places SET partition = 1",
        "DELETE FROM places",
        "DELETE FROM events",
    ],
)
def test_a_read_model_that_does_not_know_how_far_it_is_answers_nothing(
    console: Console, change: str
) -> None:
    """It would leave out what is new, or fold it twice: lists end with 5, checks with 4."""
    console.json("rebuild")
    with sqlite3.connect(console.data / "read-model.db") as connection:
        connection.execute(change)
    connection.close()
    said = console.hitl("rebuild", "--check", "--json")

    assert (said.code, len(said.json["errors"])) == (4, 1)
    assert console.hitl("verify").code == 4
    lists = console.hitl("pending", "--json")
    assert (lists.code, "run `hitl rebuild`" in lists.err) == (5, True)
    console.json("rebuild")
    assert console.hitl("rebuild", "--check").code == 0


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ("UPDATE gates SET seq = 1 WHERE run_id = 'r-3'", "pending"),
        ("UPDATE runs SET status = 'odd' WHERE run_id = 'r-3'", "runs"),
        ("UPDATE runs SET started_us = 9000000000000000000 WHERE run_id = 'r-3'", "runs"),
        ("UPDATE runs SET recipe = x'00' WHERE run_id = 'r-3'", "runs"),
        ("UPDATE events SET value = 'text' WHERE run_id = 'r-3' AND seq = 3", "pending"),
    ],
)
def test_a_damaged_row_is_told_as_such(console: Console, change: str, asked: str) -> None:
    """A list that meets a row which no fold writes names its run and how to mend it, and ends."""
    console.json("rebuild")
    with sqlite3.connect(console.data / "read-model.db") as connection:
        connection.execute(change)
    connection.close()
    said = console.hitl(asked, "--json")

    assert (said.code, "in the read model: expected rows that events give" in said.err) == (5, True)
    assert "verify" not in said.err
    assert "`hitl rebuild`" in said.err
    console.json("rebuild")
    assert console.hitl(asked).code == 0


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE gates SET run_id = CAST(run_id AS BLOB) WHERE run_id = 'r-3'",
        "UPDATE counters SET label = CAST(label AS BLOB) WHERE name = 'runs'",
        "UPDATE places SET next_offset = CAST(next_offset AS BLOB)",
        "UPDATE places SET last_offset = CAST(last_offset AS BLOB)",
        "UPDATE events SET value = 'text'",
        "UPDATE gates SET gate = CAST(x'ff' AS TEXT) WHERE run_id = 'r-3'",
    ],
)
def test_what_no_column_of_ours_holds_is_a_difference(console: Console, change: str) -> None:
    """Bytes where a text or a number stands, text that is none: checks end with 4, no defect."""
    console.json("rebuild")
    with sqlite3.connect(console.data / "read-model.db") as connection:
        connection.execute(change)
    connection.close()

    for check in (("verify", "--json"), ("rebuild", "--check", "--json")):
        said = console.hitl(*check)
        assert (said.code, len(said.json["errors"]) > 0) == (4, True)
    console.json("rebuild")
    assert console.hitl("verify").code == 0


def test_an_index_that_leaves_a_row_out_is_found(console: Console) -> None:
    """`pending` goes by it and would not list the gate, though the row of it is what it must be."""
    console.json("rebuild")
    with sqlite3.connect(console.data / "read-model.db") as connection:
        ((spelt,),) = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE name = 'gates_open'"
        ).fetchall()
        connection.execute("DROP INDEX gates_open")
        connection.execute(f"{spelt} AND run_id <> 'r-3'")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'gates_open'", (spelt,))
    connection.close()
    listed = [each["run_id"] for each in console.json("pending")]

    assert listed == ["r-4"]
    said = console.hitl("verify", "--json")
    assert (said.code, "gates_open" in said.json["errors"][0]["problem"]) == (4, True)
    assert console.hitl("rebuild", "--check").code == 4
    console.json("rebuild")
    assert (len(console.json("pending")), console.hitl("verify").code) == (2, 0)


def test_a_read_model_that_can_not_be_is_one_line(console: Console, tmp_path: Path) -> None:
    """A URL of no kind, a place that is none, a file that is something else."""
    text = tmp_path / "text.db"
    text.write_text("this is no database, and nothing of it may be lost" * 20)
    for url, code in (
        ("mysql://elsewhere", 2),
        ("sqlite://", 2),
        ("sqlite:////proc/none/model.db", 5),
        (f"sqlite:///{text}", 5),
    ):
        console.environment["HITL_READ_MODEL"] = url
        assert console.hitl("rebuild").code == code
        assert console.hitl("pending").code == code
    assert text.read_text().startswith("this is no database")


def test_a_named_read_model_is_made_where_it_is_named(console: Console, tmp_path: Path) -> None:
    """`HITL_READ_MODEL` alone is enough: the first list makes it."""
    console.environment["HITL_READ_MODEL"] = f"sqlite:///{tmp_path / 'models' / 'one.db'}"

    assert len(console.json("pending")) == 2
    assert (tmp_path / "models" / "one.db").exists()
    assert not (console.data / "read-model.db").exists()
