"""The lists, and what they say can be done next."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hitl_events import Run, Runtime, recipe
from hitl_services.cli.main import run_line


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
