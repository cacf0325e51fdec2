"""Waiting until the read model shows an event that another process folds.

The database tells nobody that it was changed (a file can not, and a NOTIFY in each transaction
would make all writers of a server take turns), so it is asked: one look by a primary key, soon at
first and then less often. Who folds in this process is told by `Progress`, without a look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hitl_events.domain.values import RunId
from hitl_events.errors import LogUnavailable

REACH_S = 10.0
FIRST_PAUSE_S = 0.002
"""An event is in the read model some 5 ms after its commit, if nothing else is to be folded."""
PAUSE_S_MAX = 0.1
"""Where it takes long: ten looks a second, of 20 us each."""

Ask = Callable[[RunId, int], Awaitable[bool]]
"""Whether an event is there (`Questions.has`, on whatever thread the connection belongs to)."""


async def shown(ask: Ask, run_id: RunId, seq: int, *, within_s: float = REACH_S) -> None:
    """Return once event `seq` of the run is in the read model; `LogUnavailable` if it takes long.

    For whoever was just told that seq, and wants to read what it changed.
    """
    pause_s = FIRST_PAUSE_S
    try:
        async with asyncio.timeout(within_s):
            while not await ask(run_id, seq):
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, PAUSE_S_MAX)
    except TimeoutError:
        raise LogUnavailable(
            f"expected event {seq} of run {run_id!r} in the read model within {within_s:g} s, "
            f"found that its projector is behind or away: what was recorded is safe, ask again"
        ) from None
