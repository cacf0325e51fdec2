"""Forgets in time what an end mark need not keep for ever, between the turns of its partition."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from hitl_events.adapters.kafka.checkpoints import Checkpointer
from hitl_events.adapters.kafka.states import StateFile
from hitl_events.domain.values import EPOCH
from hitl_events.ports import Clock

PAUSE_S = 60.0
"""Between two looks where nothing is left to forget: what is kept for days may stay a minute."""
NEXT_S = 0.25
"""Between two pieces: with 12 partitions at the bound of a piece a tenth of the loop."""
PIECE_RUNS = 8
"""Marks in one piece: 1 ms; 10 ms for runs that refused all the 100 decisions that one records."""
WAITING_MAX = 20_000
"""Checkpoints that may wait for the next round of a quiet partition before it goes on: 2 MB."""


class Sweeper:
    """Drops decisions that closed no gate, of runs that ended longer ago than `keep`.

    Head, status, digest of the start and the decisions that closed gates stay. What it drops here
    is dropped from the checkpoints by their next round, so that it comes back for nobody for long;
    the events keep all of it.
    """

    def __init__(
        self, states: StateFile, checkpoints: Checkpointer, clock: Clock, keep: timedelta
    ) -> None:
        self._states = states
        self._checkpoints = checkpoints
        self._clock = clock
        self._keep = keep

    async def sweep_on(self) -> None:
        """A piece at a time, until cancelled; `StateLost` where the file can not be used."""
        has_more = False  # who has just taken the partition over has better things to do
        while True:
            await asyncio.sleep(NEXT_S if has_more else PAUSE_S)
            has_more = self.sweep()

    def sweep(self) -> bool:
        """One piece; True where there is more to do now."""
        now = self._clock.now()
        if self._checkpoints.waiting >= WAITING_MAX or now - EPOCH < self._keep:
            return False
        swept = self._states.sweep(now - self._keep, PIECE_RUNS)
        self._checkpoints.changed(swept)
        return len(swept) == PIECE_RUNS
