"""Ends brokers whose test session is gone, however it went: kill -9 included.

The session holds the other end of our standard input and writes `+PID` for a process group that it
started and `-PID` for one that it ended. When the input ends, so do the groups that are left.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

GRACE_S = 5.0
LOOK_S = 0.05


def main() -> None:
    """Watch until the input ends, then end what is left: politely first, for Docker's client."""
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    groups = {group for group in groups if _sent(group, signal.SIGTERM)}
    end_s, pause = time.monotonic() + GRACE_S, threading.Event()
    while groups and time.monotonic() < end_s:
        groups = {group for group in groups if _sent(group, 0)}
        # nobody tells an orphan's end to a process that is no parent: it is looked for, in bounds
        pause.wait(LOOK_S)
    for group in groups:
        _sent(group, signal.SIGKILL)


def _sent(group: int, number: int) -> bool:
    """Whether there was somebody to take the signal; 0 only asks."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
