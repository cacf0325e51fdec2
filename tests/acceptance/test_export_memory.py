"""An export takes the memory of one run, however many there are."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hitl_events.adapters.directory import DataDirectory
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.ports import Appended, EffectBatch
from tests.acceptance.console import HITL
from tests.unit.audit.made import CODEC, ended, position_of

FEW = 1_000
MANY = int(os.environ.get("HITL_EXPORT_EVENTS", "20000"))
"""A million by flag; the events of `MANY` are 9 MB as they are stored, 16 MB as lines."""
EVENTS_A_RUN = 7
MORE_KIB_MAX = 6 * 1024
"""Noise of the allocator, SQLite's cache of pages and the first megabyte of what is spilled."""


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Data directories with few and with many events."""
    found: dict[int, Path] = {}
    for events in (FEW, MANY):
        found[events] = tmp_path_factory.mktemp(f"events-{events}")
        asyncio.run(_fill(found[events], events // EVENTS_A_RUN))
    return found


@pytest.mark.timeout(120 + MANY // 200)
@pytest.mark.parametrize("form", ["jsonl", "csv", "html"])
def test_many_events_need_no_more_memory_than_few(logs: dict[int, Path], form: str) -> None:
    """The peak of the whole process, from the log to a file."""
    peaks = {events: _peak_kib(folder, form) for events, folder in logs.items()}

    assert peaks[MANY] - peaks[FEW] < MORE_KIB_MAX, peaks


def _peak_kib(folder: Path, form: str) -> int:
    """The most resident memory of an export, in KiB."""
    command = [HITL, "export", "--dir", str(folder), "-o", str(folder / f"out.{form}"), "--force"]
    ours = {name: held for name, held in os.environ.items() if not name.startswith("HITL_")}
    process = subprocess.Popen(command, env=ours, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert (folder / f"out.{form}").stat().st_size > 0
    return usage.ru_maxrss


async def _fill(folder: Path, runs: int) -> None:
    log = SqliteLog.open(DataDirectory(folder))
    assert log.try_own()
    await log.fill(_batches(runs))
    log.close()


def _batches(runs: int) -> Iterator[EffectBatch]:
    for first in range(0, runs, 200):
        batch = EffectBatch()
        for number in range(first, min(first + 200, runs)):
            values = ended(f"run-{number:07}")
            batch.events.extend(Appended(event=CODEC.decode(each), value=each) for each in values)
            batch.positions.append(position_of(values))
        yield batch
