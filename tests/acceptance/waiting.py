"""Waiting for a condition, with a bound."""

from __future__ import annotations

import time
from collections.abc import Callable

WAIT_S_MAX = 30.0


def until(condition: Callable[[], object], what: str) -> None:
    """Return once the condition holds; each look is a process or a read of its own, so no pause."""
    end_s = time.monotonic() + WAIT_S_MAX
    while not condition():
        assert time.monotonic() < end_s, f"expected within {WAIT_S_MAX:g} s that {what}"
