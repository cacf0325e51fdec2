"""What a finished run takes on disk, once the log is closed and its write-ahead log folded in."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.size import Size
from benchmarks.workload import at_once, decide, runtime_in, start

BYTES_PER_RUN = 1_200


def measure(size: Size, folder: Path) -> list[Figure]:
    """Bytes by run: many at a time and one at a time, with and without the empty log."""
    empty = _bytes_after(folder / "empty", 0, 1)
    figures: list[Figure] = []
    for concurrency, runs in ((512, size.disk_runs), (1, size.disk_runs // 5)):
        found = _bytes_after(folder / f"disk-{concurrency}", runs, concurrency)
        suffix = f"{concurrency} at a time"
        figures.append(_figure(f"disk for a finished run, {suffix}", found / runs))
        figures.append(_figure(f"disk without the empty log, {suffix}", (found - empty) / runs))
    return figures


def _figure(name: str, found: float) -> Figure:
    target = f"{BYTES_PER_RUN:,} B"
    return Figure(name=name, value=found, unit="B", target=target, met=found <= BYTES_PER_RUN)


def _bytes_after(folder: Path, runs: int, concurrency: int) -> int:
    asyncio.run(_finish(folder, runs, concurrency))
    return sum(path.stat().st_size for path in folder.iterdir() if path.name.startswith("log.db"))


async def _finish(folder: Path, runs: int, concurrency: int) -> None:
    async with runtime_in(folder) as runtime:
        tokens = await at_once(concurrency, range(runs), partial(start, runtime))
        await at_once(concurrency, tokens, partial(decide, runtime))
