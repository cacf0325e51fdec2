"""The real clock and the real randomness, behind the port and the names that the core takes."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

from hitl_events.domain.values import DecisionId, RunId

SEED_BYTES = 16
_NS_PER_MS = 1_000_000
_FRACTION_BITS = 12
_POOL_BYTES = 4096
"""Randomness for a hundred runs: three system calls less for each of them (0.8 us a call)."""
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""The digit that says RFC 9562, by a random one."""


class SystemClock:
    """The clock of the machine: wall time in UTC, and seconds that never go back."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()


def new_seed() -> bytes:
    """A single seed, where no `SystemIds` is at hand."""
    return os.urandom(SEED_BYTES)


class SystemIds:
    """Ids and seeds from the operating system.

    Run ids are UUIDv7 (RFC 9562, method 3: 12 bits of the millisecond's fraction): they sort by
    time, so that new runs are written at the end of an index, not all over it.
    """

    def __init__(self) -> None:
        self._last_tick = 0
        self._pool = b""
        self._drawn = 0
        self._pid = 0

    def seed(self) -> bytes:
        """16 bytes that nobody can guess: they make tokens, `run.random()` and `run.uuid()`."""
        return self._random(SEED_BYTES)

    def run_id(self) -> RunId:
        """A UUIDv7 in text form, later than the one before it."""
        whole_ms, rest_ns = divmod(time.time_ns(), _NS_PER_MS)
        tick = (whole_ms << _FRACTION_BITS) | (rest_ns << _FRACTION_BITS) // _NS_PER_MS
        # A clock that stands still or goes back must not break the order within this process.
        tick = self._last_tick = max(tick, self._last_tick + 1)
        ms, random = f"{tick >> _FRACTION_BITS:012x}", self._random(8).hex()
        high = f"{ms[:8]}-{ms[8:]}-7{tick & 0xFFF:03x}"
        return RunId(f"{high}-{_VARIANT[random[0]]}{random[1:4]}-{random[4:]}")

    def decision_id(self) -> DecisionId:
        """A random UUID (version 4) in text form."""
        return DecisionId(self._random_uuid())

    def command_id(self) -> str:
        """A random UUID (version 4) in text form."""
        return self._random_uuid()

    def _random_uuid(self) -> str:
        h = self._random(16).hex()
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{_VARIANT[h[16]]}{h[17:20]}-{h[20:]}"

    def _random(self, size: int) -> bytes:
        """Bytes from the operating system, never given twice. It is asked for many at a time.

        A process that was forked off must not go on with what its parent has drawn.
        """
        drawn = self._drawn + size
        if drawn > len(self._pool) or self._pid != os.getpid():
            self._pool, self._pid, drawn = os.urandom(_POOL_BYTES), os.getpid(), size
        self._drawn = drawn
        return self._pool[drawn - size : drawn]
