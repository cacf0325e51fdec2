"""`hitl` as a process: how it starts, races, is interrupted, and writes to pipes and terminals."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.console import HITL, Console

HEAVY = ("asyncio", "fastavro", "jsonschema", "pydantic", "rich.console", "sqlite3", "structlog")
RACERS = 12
OWNER = """
import asyncio
import sys

from hitl_events import Runtime
from recipes import policy


async def main():
    async with Runtime.open(".hitl", recipes=[policy]):
        print("here", flush=True)
        await asyncio.to_thread(sys.stdin.readline)


asyncio.run(main())
"""


@pytest.fixture
def console(tmp_path: Path) -> Console:
    """A folder with recipes and no log yet."""
    return Console(tmp_path)


def test_help_imports_nothing_heavy() -> None:
    """`hitl --help` is quick because it loads no driver, no validator and no event loop."""
    code = (
        "import sys; from hitl_services.cli.main import main; main(['--help'])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("Usage: hitl")
    assert done.stderr == "[]\n"


def test_of_racing_processes_one_wins(console: Console) -> None:
    """Twelve processes decide with one token: one ends with 0, eleven are told the winner."""
    token = console.paused()
    racers = [
        console.begin("decide", token, "approve", "--by", f"racer {number}", "--json")
        for number in range(RACERS)
    ]
    ended = [(each.communicate(timeout=100)[0], each.returncode) for each in racers]
    won = [json.loads(out) for out, code in ended if code == 0]
    lost = [json.loads(out)["diagnostics"][0] for out, code in ended if code == 1]
    decision = console.json("show", "r-1")["artefact"]["gates"]["review"]["decision"]

    assert (len(won), len(lost)) == (1, RACERS - 1)
    assert {each["code"] for each in lost} == {"resume.token_used"}
    assert {each["data"]["winner"]["decision_id"] for each in lost} == {decision["decision_id"]}
    assert console.json("verify")["errors"] == []


def test_ctrl_c_is_130_and_one_line(console: Console) -> None:
    """An interrupted run ends at once with 130; what was recorded stays and can be looked at."""
    process = console.begin("run", "endless", "--run-id", "r-1", "--json")
    assert process.stderr is not None
    assert process.stderr.readline() == "napping\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert (process.returncode, len(err.splitlines())) == (130, 1)
    assert json.loads(out)["diagnostics"][0]["code"] == "command.interrupted"
    assert console.json("show", "r-1")["status"] == "running"


def test_ctrl_c_ends_an_export_where_it_is(console: Console) -> None:
    """It goes on with no further run: the output ends before the log does."""
    for run_id in ("r-1", "r-2"):
        console.paused(run_id, title="x" * 100_000)
    process = console.begin("export", "--format", "jsonl")
    assert process.stdout is not None
    assert process.stdout.read(1) == "{"  # it writes, and soon waits for a reader: a pipe is small
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert (process.returncode, len(err.splitlines())) == (130, 1)
    assert '"run_id":"r-2"' not in out


def test_ctrl_c_while_it_starts_is_130_and_one_line() -> None:
    """Also before the line is understood, with the document that `--json` promises."""
    code = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from hitl_services.cli.main import main\n"
        "sys.exit(main(['runs', '--json']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, len(done.stderr.splitlines())) == (130, 1)
    assert json.loads(done.stdout)["diagnostics"][0]["code"] == "command.interrupted"


def test_reading_works_beside_a_running_owner(console: Console) -> None:
    """While another process owns the log, decisions go through it, and lists and checks work."""
    owner = console.python(OWNER)
    token = console.paused()

    assert console.json("pending")[0]["token"] == token
    assert console.json("decide", token, "approve")["status"] == "ok"
    assert console.json("verify")["runs"] == 1
    assert owner.communicate("close\n", timeout=30)[0].count("a step that prints") == 1


def test_a_reader_that_goes_is_no_error(console: Console) -> None:
    """`hitl runs | head` ends quietly, and the exit code is the command's own."""
    console.json("run", "double", "--input", "1")
    read, write = os.pipe()
    os.close(read)
    said = console.hitl("show", "nosuch", stdout=write)
    quiet = console.hitl("runs", stdout=write)
    streamed = console.hitl("export", stdout=write)
    os.close(write)

    assert said.code == 1
    assert [(each.code, each.err) for each in (quiet, streamed)] == [(0, ""), (0, "")]


def test_an_output_that_can_not_be_written_is_one_line(console: Console) -> None:
    """A full disk behind stdout is told, not lost."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        said = console.hitl("runs", stdout=full)

    assert said.code == 1
    assert "No space left" in said.err


def test_a_terminal_gets_colours_and_whole_tokens(console: Console) -> None:
    """On a terminal pages are coloured, unless NO_COLOR is set; a token is never broken up."""
    token = console.paused()
    coloured = _on_terminal(console, "pending")
    console.environment["NO_COLOR"] = "1"
    plain = _on_terminal(console, "pending")

    assert "\x1b[33m" in coloured
    assert "\x1b[33m" not in plain
    assert all(token in shown.splitlines()[4] for shown in (coloured, plain))


def test_a_terminal_that_knows_ascii_alone_gets_the_rest_as_escapes(console: Console) -> None:
    """Letters that the terminal's encoding does not have end no command."""
    console.environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    shown = _on_terminal(console, "run", "policy", "--input", '{"title": "\\u00dc\\u20ac"}')

    assert r"title: \xdc\u20ac" in shown


def _on_terminal(console: Console, *arguments: str) -> str:
    """What a command says on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    environment = console.environment | {"TERM": "xterm-256color"}
    process = subprocess.Popen(
        [HITL, *arguments], cwd=console.folder, env=environment, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 30)[0]:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # the other end was closed
            break
    os.close(ours)
    assert process.wait(30) == 0
    return shown.decode()
