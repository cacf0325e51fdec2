"""Tests of the manual clock."""

from datetime import datetime, timedelta

import pytest

from hitl_events.testing import ManualClock, check_clock
from hitl_events.testing.clock import NEW_YEAR


async def test_it_is_a_clock() -> None:
    """It keeps the promises of the port."""
    await check_clock(ManualClock)


def test_it_stands_still_until_it_is_told() -> None:
    """Time passes by `advance` alone, in seconds or as a timedelta, on the wall and inside."""
    clock = ManualClock()

    assert clock.now() == clock.now() == NEW_YEAR
    clock.advance(1.5)
    clock.advance(timedelta(minutes=1))
    assert clock.now() == NEW_YEAR + timedelta(seconds=61.5)
    assert clock.monotonic_s() == 61.5


def test_each_look_may_take_time() -> None:
    """With a tick no two looks give the same time."""
    clock = ManualClock(tick=0.25)

    assert [clock.now() - NEW_YEAR for _ in range(3)] == [
        timedelta(seconds=0),
        timedelta(seconds=0.25),
        timedelta(seconds=0.5),
    ]


def test_it_goes_back_only_when_it_is_set_back() -> None:
    """`advance` refuses to go back; `set_back` moves the wall clock and not the monotonic one."""
    clock = ManualClock()
    clock.advance(10)

    with pytest.raises(ValueError, match="expected a length of 0 or more, found -1 day"):
        clock.advance(-1)
    clock.set_back(60)
    assert clock.now() == NEW_YEAR - timedelta(seconds=50)
    assert clock.monotonic_s() == 10


def test_it_wants_an_aware_start() -> None:
    """A naive time is refused, as everything recorded is UTC."""
    with pytest.raises(ValueError, match="expected an aware time"):
        ManualClock(datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused
