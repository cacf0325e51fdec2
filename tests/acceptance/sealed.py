"""A log to be sealed: some runs, what a forger makes of them, and `hitl` in this process."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hitl_events import Run, Runtime, recipe
from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.domain.values import RunId
from hitl_services.cli.main import main
from tests.unit.audit.lines import export_lines

Histories = dict[str, tuple[bytes, ...]]
"""The records of each run, in the order of their start."""


@recipe("sealed", version="1")
async def sealed(run: Run, topic: str) -> Any:
    """A draft and its review."""
    draft = await run.step(_draft, topic, name="draft")
    return (await run.gate("review", draft=draft)).verdict


def _draft(topic: str) -> dict[str, str]:
    return {"topic": topic, "text": "clause by clause " * 20}


async def record(place: Path, run_ids: Sequence[str], waiting: Sequence[str] = ()) -> None:
    """Runs that were approved, one after the other, and some that wait."""
    async with Runtime.open(place, recipes=[sealed]) as runtime:
        for run_id in (*run_ids, *waiting):
            outcome = await runtime.run(sealed, run_id, run_id=run_id)
            if run_id not in waiting:
                await runtime.decide(outcome.token or "", "approve", decided_by="Ada")


async def decide(place: Path, run_id: str, verdict: str = "approve") -> None:
    """Decide the run, whether it waits or has long ended."""
    async with Runtime.open(place, recipes=[sealed]) as runtime:
        token = (await runtime.outcome(run_id)).token
        assert token is not None
        await runtime.decide(token, verdict)


def histories(place: Path) -> Histories:
    """All that the log of a directory holds."""
    return asyncio.run(_histories(place))


async def _histories(place: Path) -> Histories:
    log = SqliteLog.open_for_reading(place)
    try:
        ids = [each.run_id async for page in log.positions() for each in page]
        loaded = await log.load(ids)
        return {run_id: loaded[RunId(run_id)] for run_id in ids}
    finally:
        log.close()


def forged(held: Mapping[str, Sequence[bytes]], place: Path) -> Path:
    """A directory in which all is sound in itself, with these runs: no chain tells it from a true
    one.
    """
    file = place.with_suffix(".jsonl")
    file.write_bytes(b"".join(export_lines(list(held.items()), AvroCodec())))
    assert main(["import", str(file), "--dir", str(place)]) == 0
    return place


class Hitl:
    """`hitl` in this process: exit code, document and the line on stderr."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        # `main` sets them for a process of its own
        monkeypatch.setattr(threading, "excepthook", threading.excepthook)
        monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
        self._read: Callable[[], Any] = capsys.readouterr

    def __call__(self, *arguments: object) -> tuple[int, Any, str]:
        self._read()
        code = main([*map(str, arguments), "--json"])
        said = self._read()
        assert "Traceback" not in said.err
        assert len(said.err.splitlines()) == (code != 0), said.err
        return code, json.loads(said.out), said.err
