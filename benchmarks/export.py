"""Export as jsonl: runs read by their key, every event as its line, beside bare Avro reads."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.figures import Figure, side_by_side
from benchmarks.raw import RawReader
from benchmarks.replay import replayed_log
from benchmarks.size import Size
from hitl_events.adapters.directory import DataDirectory
from hitl_events.adapters.sqlite import SqliteLog
from hitl_services.cli.exported import Lines
from hitl_services.cli.store import Store

EVENTS_PER_S = 150_000


def measure(size: Size, folder: Path) -> list[Figure]:
    """Events exported a second by one process, from the log to a file."""
    data, values = replayed_log(size, folder)
    raw = partial(RawReader().events_per_s, values)

    def ours() -> float:
        return asyncio.run(_export(data, folder / "out.jsonl", len(values)))

    figure = side_by_side("export as jsonl", size.rounds, ours, raw)
    met = figure.value >= EVENTS_PER_S
    return [replace(figure, target=f"{EVENTS_PER_S:,}", met=met)]


async def _export(data: Path, out: Path, events: int) -> float:
    """Events exported a second, the opening of the log and the End line included."""
    began = time.perf_counter()
    found = 0
    with out.open("wb") as file, ExitStack() as undo:
        log = SqliteLog.open_for_reading(DataDirectory(data))
        undo.callback(log.close)
        store = Store(log, lambda: None, place="", empty=False)
        lines = Lines(store, file.write, undo)
        with log.snapshot():
            async for run_id, values in store.histories():
                lines.add(run_id, values, store.places(run_id, len(values)))
                found += len(values)
        lines.end()
    assert found == events, found
    return events / (time.perf_counter() - began)
