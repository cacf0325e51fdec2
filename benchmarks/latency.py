"""How long one decision takes on an idle log, beside a commit of one row in the same second."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path

from benchmarks.figures import Baseline, Figure, percentile
from benchmarks.raw import RawTable
from benchmarks.size import Size
from benchmarks.workload import at_once, decide, runtime_in, start

IDLE_S = 0.002
"""Between two decisions, so that the loop has gone to sleep."""
WARM_UP = 20
_SHARES = {"p50": (0.50, 1.0), "p99": (0.99, 3.0)}
"""Share of the decisions, and the milliseconds over a raw commit that are aimed at."""


def measure(size: Size, folder: Path) -> list[Figure]:
    """decision->done of runs that have left the cache: two commits and a step."""
    ours, raw = asyncio.run(_measure(size.idle_decisions, folder))
    figures: list[Figure] = []
    for name, (share, over_ms) in _SHARES.items():
        taken_ms, commit_ms = (percentile(sorted(each), share) * 1e3 for each in (ours, raw))
        figures.append(
            Figure(
                name=f"idle decision {name}, less a raw commit",
                value=taken_ms - commit_ms,
                unit="ms",
                baseline=Baseline(name="raw commit", value=commit_ms, unit="ms"),
                ratio=taken_ms / commit_ms,
                target=f"{over_ms:g} ms",
                met=taken_ms - commit_ms <= over_ms,
            )
        )
    return figures


async def _measure(count: int, folder: Path) -> tuple[list[float], list[float]]:
    """Seconds of each decision and of each raw commit, taken in turn."""
    ours: list[float] = []
    raw: list[float] = []
    async with runtime_in(folder / "data") as runtime:
        tokens = await at_once(64, range(count + WARM_UP), partial(start, runtime))
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
