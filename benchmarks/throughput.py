"""start->paused and decision->done a second, 1, 64 and 512 at a time, in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from benchmarks.figures import Baseline, Figure, rate
from benchmarks.raw import RawTable
from benchmarks.server import server_gc
from benchmarks.size import Size
from benchmarks.workload import at_once, decide, runtime_in, start

_T = TypeVar("_T")

EVENTS_PER_RUN = 3
"""RunStarted, StepCompleted, GatePaused; then DecisionReceived, StepCompleted, RunCompleted."""
RUNS_PER_S = 10_000
SHARE_OF_RAW = 0.15


def measure(size: Size, folder: Path) -> list[Figure]:
    """The rates for each concurrency, then for the largest with the settings of a server."""
    figures: list[Figure] = []
    for concurrency, runs in size.runs_by_concurrency.items():
        place = folder / f"throughput-{concurrency}"
        found = asyncio.run(_measure(size, place, concurrency, runs))
        largest = concurrency == max(size.runs_by_concurrency)
        figures += [_judged(each) for each in found] if largest else found
    concurrency, runs = max(size.runs_by_concurrency.items())
    with server_gc():
        found = asyncio.run(_measure(size, folder / "throughput-gc", concurrency, runs))
    served = [replace(each, name=f"{each.name}, gc as a server") for each in found]
    return figures + [_judged(each) for each in served]


async def _measure(size: Size, folder: Path, concurrency: int, runs: int) -> list[Figure]:
    folder.mkdir()
    async with runtime_in(folder / "data") as runtime:
        with RawTable(folder) as table:
            rounds = _Rounds(partial(table.rows_per_s, size.raw_commits), concurrency)
            begin, end = partial(start, runtime), partial(decide, runtime)
            await at_once(concurrency, await at_once(concurrency, range(concurrency), begin), end)
            for _ in range(size.rounds):
                tokens = await rounds.measure("start->paused", range(runs), begin)
                # In the order of their start: these runs have left the engine's memory.
                await rounds.measure("decision->done", tokens, end)
                tokens = await at_once(concurrency, range(concurrency), begin)
                await rounds.measure("decision->done, just paused", tokens, end)
    return rounds.figures()


class _Rounds:
    """Runs a second by what was measured, each with what SQLite did just before."""

    def __init__(self, raw_rows_per_s: Callable[[], float], concurrency: int) -> None:
        self._raw_rows_per_s = raw_rows_per_s
        self._concurrency = concurrency
        self._found: dict[str, tuple[list[float], list[float]]] = {}

    async def measure(
        self, name: str, items: Sequence[_T], call: Callable[[_T], Awaitable[Any]]
    ) -> list[Any]:
        """Call with every item; returns the results."""
        rates, raw = self._found.setdefault(name, ([], []))
        raw.append(self._raw_rows_per_s())
        began = time.perf_counter()
        results = await at_once(self._concurrency, items, call)
        rates.append(len(items) / (time.perf_counter() - began))
        return results

    def figures(self) -> list[Figure]:
        """The ratio is of the runs' events to the rows that SQLite took beside them."""
        return [self._figure(name, *found) for name, found in self._found.items()]

    def _figure(self, name: str, rates: list[float], raw: list[float]) -> Figure:
        events = rate(name, [each * EVENTS_PER_RUN for each in rates], raw)
        return replace(
            events,
            name=f"{name}, {self._concurrency} at a time",
            value=max(rates),
            median=median(rates),
            unit="runs/s",
            baseline=Baseline(name="raw rows", value=max(raw), unit="rows/s"),
        )


def _judged(figure: Figure) -> Figure:
    assert figure.ratio is not None
    met = figure.value >= RUNS_PER_S or figure.ratio >= SHARE_OF_RAW
    return replace(figure, target=f"{RUNS_PER_S:,} or ratio {SHARE_OF_RAW}", met=met)
