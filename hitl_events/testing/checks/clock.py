"""The promises of `Clock`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from hitl_events.ports import Clock
from hitl_events.testing.checks.promise import same


async def check_clock(make: Callable[[], Clock]) -> None:
    """Wall time is aware UTC; monotonic seconds never go back."""
    clock = make()

    same(clock.now().utcoffset(), timedelta(0), "the offset of UTC")
    seconds = [clock.monotonic_s() for _ in range(1000)]
    same(seconds, sorted(seconds), "seconds that never go back")
