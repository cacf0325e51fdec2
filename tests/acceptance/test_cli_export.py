"""`hitl export` as a user types it: its formats, what it refuses, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.console import Console, Said


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Console:
    """A folder with a run that was approved (after a wrong try) and one that is paused."""
    console = Console(tmp_path_factory.mktemp("template"))
    token = console.paused("r-1", title="=1+1 <b>")
    console.hitl("decide", token, "perhaps", "--by", "eve")
    console.json("decide", token, "approve", "--by", "anna", "--notes", "=HYPERLINK(1)")
    console.paused("r-2")
    return console


@pytest.fixture
def console(template: Console, tmp_path: Path) -> Console:
    """The same, for one test alone."""
    return template.copied(tmp_path)


def test_csv_has_a_line_for_each_decision_or_attempt(console: Console) -> None:
    """The same as `audit` lists, of the named runs; nothing that a spreadsheet computes."""
    text = console.hitl("export", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(text, newline="")))

    assert [(row["type"], row["decided_by"]) for row in rows] == [
        ("decision", "anna"),
        ("attempt", "eve"),
    ]
    assert rows[0]["notes"] == "'=HYPERLINK(1)"
    assert console.hitl("audit", "--format", "csv").out == text
    assert len(console.hitl("export", "r-2", "--format", "csv").out.splitlines()) == 1


def test_html_is_one_page_for_one_run_or_many(console: Console) -> None:
    """By the ending of the file or by `--format`; written whole, and counted."""
    wrote = console.json("export", "-o", "all.html")
    one = console.hitl("export", "r-1", "--format", "html").out
    page = (console.folder / "all.html").read_text(encoding="utf-8")

    assert wrote == {"file": "all.html", "runs": 2, "events": 10}
    assert ('href="#run-r-2"' in page, "href=" in one) == (True, False)
    assert "=1+1 &lt;b&gt;" in one
    assert "<b>" not in one + page
    assert console.hitl("export", "--format", "html").out == page


def test_an_export_at_a_desk_is_the_same_page(console: Console, tmp_path: Path) -> None:
    """Everything comes from the events: csv and html of an imported log are the same bytes."""
    console.json("export", "-o", "audit.jsonl")
    elsewhere = ("--dir", str(tmp_path / "desk"))
    console.json("import", "audit.jsonl", *elsewhere)

    for form in ("csv", "html", "jsonl"):
        there = console.hitl("export", "--format", form, *elsewhere).out
        assert there == console.hitl("export", "--format", form).out


@pytest.mark.parametrize(
    ("wrong", "code", "told"),
    [
        (("--format", "xml"), 2, "as --format"),
        (("--format", "html", "--json"), 2, "add -o FILE"),
        (("-o", "recipes.py"), 2, "--force"),
        (("-o", "nowhere/all.html"), 1, "nothing of it was kept"),
        (("nosuch", "--format", "html"), 1, "no run 'nosuch'"),
        (("nosuch", "-o", "x.csv"), 1, "no run 'nosuch'"),
        (("--dir", "nowhere", "--format", "csv"), 5, "expected a log"),
        (("--from-topic",), 2, "beside --from-topic"),
    ],
)
def test_what_can_not_be_exported_is_one_line(
    template: Console, wrong: tuple[str, ...], code: int, told: str
) -> None:
    """The exit code, what was expected, and no file that looks like an export."""
    said = template.hitl("export", *wrong)

    assert (said.code, told in said.err) == (code, True), said.err
    assert not (template.folder / "x.csv").exists()


def test_an_export_without_runs_says_so(console: Console) -> None:
    """An empty log that is there gives an End line, the names of the columns, an empty page."""
    fresh = ("--dir", "fresh")
    console.hitl("run", "double", "--input", '"x"', *fresh)

    assert json.loads(console.hitl("export", *fresh).out)["runs"] == 0
    assert len(console.hitl("export", "--format", "csv", *fresh).out.splitlines()) == 1
    assert "No runs" in console.hitl("export", "--format", "html", *fresh).out


@pytest.mark.parametrize("form", ["jsonl", "csv", "html"])
def test_a_reader_that_goes_away_is_no_error(console: Console, form: str) -> None:
    """`| head` ends quietly, exit 0."""
    reading, writing = os.pipe()
    os.close(reading)
    said = console.hitl("export", "--format", form, stdout=writing)
    os.close(writing)

    assert (said.code, said.err) == (0, "")


def test_what_another_command_writes_is_verified_without_a_file_between(console: Console) -> None:
    """A pipe is a file to `verify`; `import`, which reads twice, says that it can not take one."""
    console.hitl("export", "-o", "all.jsonl")
    (console.folder / "changed.jsonl").write_text(
        (console.folder / "all.jsonl").read_text(encoding="utf-8").replace("anna", "eva"),
        encoding="utf-8",
    )
    os.mkfifo(console.folder / "pipe")

    def piped(name: str, *command: str) -> Said:
        with subprocess.Popen(["sh", "-c", f"cat {name} > pipe"], cwd=console.folder):
            return console.hitl(*command)

    assert json.loads(piped("all.jsonl", "verify", "pipe", "--json").out)["events"] == 10
    broken = piped("changed.jsonl", "verify", "pipe")
    assert broken.code == 4
    assert "run r-1, event" in broken.err
    refused = console.hitl("import", "pipe", "--dir", "desk")
    assert refused.code == 2
    assert "found the pipe 'pipe': it is read twice, write it to a file first" in refused.err


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_an_export_that_is_ended_leaves_no_file(console: Console, sent: signal.Signals) -> None:
    """Nothing stands under the final name, and what stood there before still does."""
    (console.folder / "out.html").write_text("before", encoding="utf-8")
    blocked = "import os, sys; from hitl_services.cli import exported, main\n"
    blocked += "def end(self):\n    print('here', flush=True)\n    sys.stdin.read()\n"
    blocked += (
        "exported.Page.end = end\nsys.exit(main.main(['export', '-o', 'out.html', '--force']))"
    )
    process = console.python(blocked)
    process.send_signal(sent)
    _, err = process.communicate(timeout=60)

    ended = 130 if sent is signal.SIGINT else -sent
    assert (process.returncode, len(err.splitlines())) == (ended, 1 if ended > 0 else 0)
    assert (console.folder / "out.html").read_text(encoding="utf-8") == "before"
    if sent is signal.SIGINT:
        assert [path.name for path in console.folder.glob("out.html*")] == ["out.html"]
