"""The real clock and the real randomness, behind the port and the names that the core takes."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

from hitl_events.domain.values import DecisionId, RunId

SEED_BYTES = 16
_NS_PER_MS = 1_000_000
_FRACTION_BITS = 12


class SystemClock:
    """The clock of the machine: wall time in UTC, and seconds that never go back."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()


class SystemIds:
    """Ids and seeds from the operating system.

    Run ids are UUIDv7 (RFC 9562, method 3: 12 bits of the millisecond's fraction): they sort by
    time, so that new runs are written at the end of an index, not all over it.
    """

    def __init__(self) -> None:
        self._last_tick = 0

    def seed(self) -> bytes:
        """16 bytes that nobody can guess: they make tokens, `run.random()` and `run.uuid()`."""
        return os.urandom(SEED_BYTES)

    def run_id(self) -> RunId:
        """A UUIDv7 in text form, later than the one before it."""
        whole_ms, rest_ns = divmod(time.time_ns(), _NS_PER_MS)
        tick = (whole_ms << _FRACTION_BITS) | (rest_ns << _FRACTION_BITS) // _NS_PER_MS
        # A clock that stands still or goes back must not break the order within this process.
        tick = self._last_tick = max(tick, self._last_tick + 1)
        random = int.from_bytes(os.urandom(8), "big") >> 2
        high = (tick >> _FRACTION_BITS) << 16 | 0x7000 | tick & 0xFFF
        return RunId(_uuid_text(high << 64 | 0b10 << 62 | random))

    def decision_id(self) -> DecisionId:
        """A random UUID (version 4) in text form."""
        return DecisionId(_random_uuid())

    def command_id(self) -> str:
        """A random UUID (version 4) in text form."""
        return _random_uuid()


def _random_uuid() -> str:
    bits = int.from_bytes(os.urandom(16), "big")
    return _uuid_text(bits & ~(0xF000 << 64) & ~(0b11 << 62) | 0x4000 << 64 | 0b10 << 62)


def _uuid_text(bits: int) -> str:
    digits = f"{bits:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
