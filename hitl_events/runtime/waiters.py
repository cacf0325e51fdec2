"""Who waits for a run to pause or end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

from hitl_events.domain.events import Event
from hitl_events.domain.values import RunId
from hitl_events.errors import HitlError

Waiter: TypeAlias = asyncio.Future[Sequence[Event] | None]


class Waiters:
    """Futures by run; each gets the run's events once."""

    def __init__(self) -> None:
        self._by_run: dict[RunId, list[Waiter]] = {}

    def __contains__(self, run_id: RunId) -> bool:
        return run_id in self._by_run

    def add(self, run_id: RunId) -> Waiter:
        """A future for the run."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._by_run.setdefault(run_id, []).append(waiter)
        return waiter

    def remove(self, run_id: RunId, waiter: Waiter) -> None:
        """Forget one."""
        held = self._by_run.get(run_id, [])
        if waiter in held:
            held.remove(waiter)
        if not held:
            self._by_run.pop(run_id, None)

    def resolve(self, run_id: RunId, events: Sequence[Event] | None) -> None:
        """The run pauses or is over."""
        for waiter in self._by_run.pop(run_id, ()):
            if not waiter.done():
                waiter.set_result(events)

    def close(self, failure: HitlError | None) -> None:
        """Nobody will be served any more; who still waits gets the failure, if there was one."""
        for waiter in (waiter for held in self._by_run.values() for waiter in held):
            if failure is not None and not waiter.done():
                waiter.set_exception(failure)
            else:
                waiter.cancel()
        self._by_run.clear()
