"""An event loop whose time passes only where nothing is left to do, and then at once."""

import asyncio
import selectors
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class NothingLeft(Exception):
    """Nobody waits for any time: the loop would stand for ever."""


class _Jumping(selectors.SelectSelector):
    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise NothingLeft
            self._jump(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """For code without threads: an hour takes as long as what happens in it."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_Jumping(self._jump))

    def time(self) -> float:
        """Seconds since it was made."""
        return self._now_s

    def _jump(self, seconds: float) -> None:
        self._now_s += seconds


class LoopClock:
    """The port `Clock`, by the running loop."""

    def now(self) -> datetime:
        """Of a world that begins with the loop."""
        return BEGIN + timedelta(seconds=self.monotonic_s())

    def monotonic_s(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()


async def passes(seconds: float) -> None:
    """Let that much of the loop's time pass."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()
