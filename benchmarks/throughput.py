"""start->paused and decision->done a second, 1, 64 and 512 at a time, in one process."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.figures import Baseline, Figure, rate
from benchmarks.raw import RawTable
from benchmarks.size import Size
from benchmarks.workload import at_once, decide, runtime_in, start

EVENTS_PER_RUN = 3
"""RunStarted, StepCompleted, GatePaused; then DecisionReceived, StepCompleted, RunCompleted."""
RUNS_PER_S = 10_000
SHARE_OF_RAW = 0.15
SERVER_GC_THRESHOLD = 50_000
"""As a server sets it: the runs of one batch of 512 make fewer objects than that."""


def measure(size: Size, folder: Path) -> list[Figure]:
    """Both rates for each concurrency, then for the largest with the settings of a server."""
    figures: list[Figure] = []
    for concurrency, runs in size.runs_by_concurrency.items():
        place = folder / f"throughput-{concurrency}"
        figures += asyncio.run(_measure(size, place, concurrency, runs))
    concurrency, runs = max(size.runs_by_concurrency.items())
    with _server_gc():
        served = asyncio.run(_measure(size, folder / "throughput-gc", concurrency, runs))
    aimed_at = [_judged(figure) for figure in (*figures[-2:], *served)]
    served = [replace(each, name=f"{each.name}, gc as a server") for each in aimed_at[-2:]]
    return [*figures[:-2], *aimed_at[:-2], *served]


async def _measure(size: Size, folder: Path, concurrency: int, runs: int) -> list[Figure]:
    started: list[float] = []
    decided: list[float] = []
    raw: list[float] = []
    folder.mkdir()
    async with runtime_in(folder / "data") as runtime:
        with RawTable(folder) as table:
            tokens = await at_once(concurrency, range(concurrency), partial(start, runtime))
            await at_once(concurrency, tokens, partial(decide, runtime))
            for _ in range(size.rounds):
                raw.append(table.rows_per_s(size.raw_commits))
                began = time.perf_counter()
                tokens = await at_once(concurrency, range(runs), partial(start, runtime))
                paused = time.perf_counter()
                # In the order of their start: these runs have left the engine's cache.
                await at_once(concurrency, tokens, partial(decide, runtime))
                started.append(runs / (paused - began))
                decided.append(runs / (time.perf_counter() - paused))
    suffix = f"{concurrency} at a time"
    return [
        _rate(f"start->paused, {suffix}", started, raw),
        _rate(f"decision->done, {suffix}", decided, raw),
    ]


def _rate(name: str, runs_per_s: list[float], raw: list[float]) -> Figure:
    """The rate in runs; the ratio is of their events to the rows that SQLite took beside them."""
    events = rate(name, [each * EVENTS_PER_RUN for each in runs_per_s], raw)
    return replace(
        events,
        value=max(runs_per_s),
        median=median(runs_per_s),
        unit="runs/s",
        baseline=Baseline(name="raw rows", value=max(raw), unit="rows/s"),
    )


def _judged(figure: Figure) -> Figure:
    assert figure.ratio is not None
    met = figure.value >= RUNS_PER_S or figure.ratio >= SHARE_OF_RAW
    return replace(figure, target=f"{RUNS_PER_S:,} or ratio {SHARE_OF_RAW}", met=met)


@contextmanager
def _server_gc() -> Generator[None]:
    """What a process that serves sets once its imports are done."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(SERVER_GC_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
