"""Lists and pages of the commands that show runs, and what they say can be done next."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hitl_events import Run, Runtime, recipe
from hitl_events.domain.trace import TraceEntry
from hitl_services.cli.main import run_line
from hitl_services.cli.screen import Line
from hitl_services.cli.views import trace_page


@recipe("r", version="1")
async def asks(run: Run, input: Any) -> Any:
    return (await run.gate("g")).verdict


async def _paused() -> None:
    async with Runtime.open(".hitl", recipes=[asks]) as runtime:
        await runtime.run(asks, None, run_id="a")


def test_gates_that_nobody_can_decide_here_name_no_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An imported log has no token and takes no decision: `hitl decide` is not advised in it."""
    monkeypatch.chdir(tmp_path)
    asyncio.run(_paused())
    run_line(["export", "-o", "audit.jsonl"])
    run_line(["import", "audit.jsonl", "--dir", "desk"])
    capsys.readouterr()

    run_line(["pending"])
    at_home = capsys.readouterr().out
    run_line(["pending", "--dir", "desk"])
    at_a_desk = capsys.readouterr().out

    assert "1 open gate; decide with hitl decide TOKEN VERDICT" in at_home
    assert "1 open gate\n" in at_a_desk
    assert "decide with" not in at_a_desk


ENTRY = TraceEntry(
    kind="step.completed",
    at="2026-01-01T00:00:00.000000Z",
    seq=3,
    data={"step": "draft", "output": "some text that is longer than a narrow terminal is wide"},
)


def _text(line: Line) -> str:
    return "".join(part if isinstance(part, str) else part[0] for part in line).rstrip()


def test_a_narrow_terminal_shows_what_an_entry_says_below_it() -> None:
    """Beside time and kind there is no room for a word; what does not fit ends in an ellipsis."""
    above, below = (_text(line) for line in trace_page([ENTRY], 40))

    assert above.endswith("step.completed")
    assert below.startswith("    step: draft; output: some text")
    assert below.endswith("…")
    assert len(below) <= 40


def test_a_wide_one_has_a_line_for_each_entry() -> None:
    """So has a pipe, uncut."""
    (line,) = (_text(line) for line in trace_page([ENTRY], 80))
    (whole,) = (_text(line) for line in trace_page([ENTRY], None))

    assert "step: draft" in line
    assert line.endswith("…")
    assert whole.endswith("narrow terminal is wide")
