"""The fresh processes of `paused`: one that pauses runs until it is killed, one that takes over."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from functools import partial
from pathlib import Path

from benchmarks.workload import at_once, decide, runtime_in, start

_WARM_UP_RUNS = 1_024
"""Twice the engine's cache: what is measured after it are the runs, not the first use of things."""
_CONCURRENCY = 512


async def pause(folder: Path, runs: int) -> None:
    """Tell how much the process grew by pausing runs, then wait for the end."""
    async with runtime_in(folder) as runtime:
        warm = min(runs, _WARM_UP_RUNS)
        tokens = await at_once(_CONCURRENCY, range(warm), partial(start, runtime))
        for _ in range(2):
            await at_once(_CONCURRENCY, tokens, partial(decide, runtime))
            tokens = await at_once(_CONCURRENCY, range(warm), partial(start, runtime))
        gc.collect()
        before = rss()
        tokens = await at_once(_CONCURRENCY, range(runs), partial(start, runtime))
        token = tokens[0]
        del tokens
        gc.collect()
        tell(grown=max(0, rss() - before), token=token)
        await asyncio.Event().wait()


async def restart(folder: Path, token: str) -> None:
    """Tell how long it takes from opening the log to the end of the first decision's run."""
    began = time.perf_counter()
    async with runtime_in(folder) as runtime:
        await decide(runtime, token)
        tell(seconds=time.perf_counter() - began, rss=rss())


def rss() -> int:
    """The memory of this process in bytes, as it is resident now."""
    with Path("/proc/self/status").open() as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def tell(**what: object) -> None:
    """One JSON document to who started us."""
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "pause":
        asyncio.run(pause(Path(sys.argv[2]), int(sys.argv[3])))
    else:
        asyncio.run(restart(Path(sys.argv[2]), sys.argv[3]))
