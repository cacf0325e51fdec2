"""A clock that a test sets by hand: no test waits, and none depends on the day it runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


class ManualClock:
    """The port `Clock`. It stands still until `advance`; each look at it takes `tick` (0).

    >>> clock = ManualClock()
    >>> clock.advance(90)
    >>> clock.now().isoformat()
    '2026-01-01T00:01:30+00:00'
    """

    def __init__(
        self, start: datetime = NEW_YEAR, *, tick: timedelta | float = timedelta(0)
    ) -> None:
        if start.tzinfo is None:
            raise ValueError(f"expected an aware time to start at, found {start.isoformat()}")
        self._now = start
        self._passed = timedelta(0)
        self._tick = _length(tick)

    def now(self) -> datetime:
        """The time as it was set, in UTC."""
        now = self._now
        if self._tick:
            self.advance(self._tick)
        return now

    def monotonic_s(self) -> float:
        """Seconds since the clock was made; `set_back` does not change them."""
        return self._passed.total_seconds()

    def advance(self, length: timedelta | float) -> None:
        """Let time pass: a `timedelta`, or seconds. `ValueError` for a negative length."""
        step = _length(length)
        if step < timedelta(0):
            message = f"expected a length of 0 or more, found {step}"
            raise ValueError(f"{message}: use set_back for a wall clock that was wrong")
        self._now += step
        self._passed += step

    def set_back(self, length: timedelta | float) -> None:
        """Put the wall clock back, as an operator or NTP may; the monotonic seconds stay."""
        self._now -= _length(length)


def _length(length: timedelta | float) -> timedelta:
    return length if isinstance(length, timedelta) else timedelta(seconds=length)
