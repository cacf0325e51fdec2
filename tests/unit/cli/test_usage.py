"""Lines that mean nothing: exit 2 and what was expected, before anything is opened or changed."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Annotated

import pytest
import typer

from hitl_services.cli.main import run_line

TOKEN = "hitl_" + "A" * 60


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and the hooks of the process as they were."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    for name in ("HITL_DATA", "HITL_RECIPES", "HITL_TOKEN_KEY", "HITL_KAFKA_BOOTSTRAP"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("frob", "No such command 'frob'"),
        ("decide", "Missing argument"),
        ("decide TOKEN", "Missing argument 'VERDICT'"),
        ("decide TOKEN approve TOKEN", "unexpected extra argument"),
        ("decide TOKEN approve --frob x", "No such option: --frob"),
        ("decide TOKEN approve --data {", "in --data: expected JSON"),
        ('decide TOKEN approve --data {"a":1,"a":2}', "found twice: 'a'"),
        ('decide TOKEN approve --data {"a":NaN}', "found NaN"),
        ("decide - approve --data -", "found both"),
        ("run policy --input", "requires an argument"),
        ("run policy --input {bad", "found at character"),
        ("run policy --input @nothing", "the file 'nothing'"),
        ("run policy --input @.", "Is a directory"),
        ("runs --status bad", "expected a status of ok, paused"),
        ("runs --limit 0", "expected a number from 1"),
        ("runs --limit x", "expected a number from 1"),
        ("pending --older-than soon", "90s, 15m, 2h or 7d"),
        ("show r-1 --at x", "expected a number"),
        ("show r-1 --at 1 --diff 1 2", "found --at and --diff"),
        ("show r-1 --time 1d --gate g", "found --time and --gate"),
        ("audit --since soon", "as --since"),
        ("audit --since 2026-02-02 --until 2026-02-01", "--since before"),
        ("audit --decider ", "as --decider"),
        ("audit --format xml", "as --format"),
        ("audit --from-topic", "beside --from-topic"),
        ("show r-1 --diff 1", "requires 2 arguments"),
        ("explain r-1.x", "gate id"),
        ("export --format xml", "as --format"),
        ("plan policy --format png", "expected text or mermaid"),
        ("import nothing", "expected a file to import"),
        ("dead-letters show 99999", "expected the number of a dead letter"),
        ("dead-letters discard 1", "expected the number of a dead letter"),
        ("dead-letters frob", "No such command 'frob'"),
        ("--dir x runs", "options come after the command"),
        ("runs --dir", "requires an argument"),
        ("topics create", "expected a cluster in --kafka or HITL_KAFKA_BOOTSTRAP"),
        ("topics create --partitions x", "expected a number from 1"),
        ("topics acls --process frob", "as --process, found 'frob'"),
        ("topics frob", "No such command 'frob'"),
        ("runs --kafka nowhere", "to be HOST:PORT"),
        ("runs --from-topic", "beside --from-topic"),
        ("run policy --no-wait", "beside --no-wait"),
        ("cancel r-1 --timeout 3", "beside --timeout"),
        ("import file --kafka h:1", "found a cluster"),
        ("dead-letters discard 0:1 --kafka h:1", "its topic forgets them"),
        ("pending --kafka h:1", "expected HITL_TOKEN_KEY"),
    ],
)
def test_a_line_that_means_nothing_is_told_so(
    line: str, part: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One line on stderr, the same in a document with `--json`; no token in it, nothing made."""
    words = [TOKEN if word == "TOKEN" else word for word in line.split(" ")]
    code = run_line(words)
    plain = capsys.readouterr()
    run_line([*words, "--json"])
    document = capsys.readouterr().out

    assert (code, part in plain.err) == (2, True), plain.err
    assert len(plain.err.splitlines()) == 1
    assert (plain.out, list(tmp_path.iterdir())) == ("", [])
    if not words[-1].startswith("--"):
        assert json.loads(document)["diagnostics"][0]["code"] == "command.usage"
    assert TOKEN not in plain.err + document


def test_a_bare_hitl_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the help is shown, and the exit code says that nothing was done."""
    code = run_line([])

    assert code == 2
    assert "Usage: hitl" in capsys.readouterr().out


def test_ctrl_c_while_the_line_is_read_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parser answers it with a bare code; here it is 130, one line and a document."""
    app = typer.Typer()

    @app.command()
    def stopped(json: Annotated[bool, typer.Option("--json")] = False) -> None:
        raise KeyboardInterrupt(json)

    monkeypatch.setattr("hitl_services.cli.app._app", lambda: app)
    code = run_line(["--json"])
    said = capsys.readouterr()

    assert (code, len(said.err.splitlines())) == (130, 1)
    assert json.loads(said.out)["diagnostics"][0]["code"] == "command.interrupted"
