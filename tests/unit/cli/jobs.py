"""Shares of work for other processes: a child finds them by the name of this module."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

from hitl_events.domain.values import value
from hitl_events.errors import CorruptLog

WAIT_S_MAX = 60.0


@value
class Doubled:
    """Tells its number, gives it twice."""

    number: int

    def __call__(self, tell: Callable[[int], None]) -> int:
        tell(self.number)
        return 2 * self.number


@value
class Ends:
    """Ends in one of the ways in which a process can, while others wait."""

    how: str

    def __call__(self, tell: Callable[[int], None]) -> int:
        tell(os.getpid())
        match self.how:
            case "waits":
                threading.Event().wait(WAIT_S_MAX)
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exits":
                os._exit(3)
            case "corrupt":
                raise CorruptLog("here", "expected sound bytes, found others")
            case _:
                raise KeyError(self.how)
        return 0
