"""How long one decision takes on an idle log, beside a commit of one row in the same instant."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.figures import Baseline, Figure, percentile
from benchmarks.raw import RawTable
from benchmarks.size import Size
from benchmarks.workload import at_once, decide, runtime_in, start

IDLE_S = 0.002
"""Before each decision, so that the loop has gone to sleep."""
WARM_UP = 20
_SHARES = {"p50": (0.50, 1.0), "p99": (0.99, 3.0)}
"""Share of the decisions, and the milliseconds over a raw commit that are aimed at."""


def measure(size: Size, folder: Path) -> list[Figure]:
    """Decisions on runs that have left the memory: one that ends its run, which takes one commit.

    Then, for comparison, one after which a step runs: two commits.
    """
    ours, raw = asyncio.run(_measure(size.idle_decisions, folder / "one", "decided"))
    figures: list[Figure] = []
    for name, (share, over_ms) in _SHARES.items():
        figure = _over(f"idle decision {name}, over a raw commit", ours, raw, share)
        met = figure.value <= over_ms
        figures.append(replace(figure, target=f"{over_ms:g} ms", met=met))
    ours, raw = asyncio.run(_measure(size.idle_decisions, folder / "two", "benchmark"))
    twice = [2 * each for each in raw]
    name = "idle decision and a step, {}, over two raw commits"
    return figures + [
        _over(name.format(which), ours, twice, share) for which, (share, _) in _SHARES.items()
    ]


def _over(name: str, ours: list[float], raw: list[float], share: float) -> Figure:
    taken_ms, commit_ms = (percentile(sorted(each), share) * 1e3 for each in (ours, raw))
    return Figure(
        name=name,
        value=taken_ms - commit_ms,
        unit="ms",
        baseline=Baseline(name="raw commit", value=commit_ms, unit="ms"),
        ratio=taken_ms / commit_ms,
    )


async def _measure(count: int, folder: Path, recipe: str) -> tuple[list[float], list[float]]:
    """Seconds of each decision and of each raw commit, taken in turn."""
    ours: list[float] = []
    raw: list[float] = []
    async with runtime_in(folder) as runtime:
        begin = partial(start, runtime, name=recipe)
        # More runs than the engine keeps in memory lie between a start and its decision.
        tokens = await at_once(64, range(count + WARM_UP), begin)
        await at_once(64, range(600), begin)
        with RawTable(folder) as table:
            for number, token in enumerate(tokens):
                await asyncio.sleep(IDLE_S)
                commit_s = table.commit_s()
                began = time.perf_counter()
                await decide(runtime, token)
                if number >= WARM_UP:
                    ours.append(time.perf_counter() - began)
                    raw.append(commit_s)
    return ours, raw
