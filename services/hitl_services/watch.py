"""A thread that ends the process when it can not end, or go on, by itself.

A lost cancellation or a step that never gives the event loop back leaves a process that does
nothing, for ever, without an error. The supervisor sees only one that exits.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType

from hitl_events.domain.values import value
from hitl_events.ports import Clock
from hitl_services.failure import CRASHED
from hitl_services.health import Health
from hitl_services.log_names import LogName
from hitl_services.logs import Log

BEAT_S = 0.5
LOOK_S = 0.25
TELL_S = 1.0
"""What the last line may take; stderr may be a pipe that nobody reads."""
FRAMES_MAX = 8


@value
class Bounds:
    """How long a process waits, in seconds.

    `live_s`: for a beat of the event loop until `/livez` says no. `stall_s`: until the process is
    ended for it. `drain_s`: for the work to end after a signal, then it is cancelled. `end_s`: from
    the signal to the exit, whatever hangs. `close_s`: for the exit once the work has ended.
    """

    live_s: float = 10.0
    stall_s: float = 30.0
    drain_s: float = 8.0
    end_s: float = 9.5
    close_s: float = 2.0


class Watch:
    """Looks at the loop's beats and at the time that is left for the exit."""

    def __init__(self, clock: Clock, bounds: Bounds) -> None:
        self._clock = clock
        self._bounds = bounds
        self._beats = 0
        self._beat_s = clock.monotonic_s()
        self._beating = False
        self._deadline: tuple[float, int] | None = None
        self.log: Log | None = None

    def start(self) -> None:
        """Begin to look. The thread lives as long as the process."""
        threading.Thread(target=self._look_on, name="hitl-watch", daemon=True).start()

    def exit_within(self, length_s: float, code: int) -> None:
        """Exit with `code` once that time is over, at the latest. Safe in a signal handler."""
        end_s = self._clock.monotonic_s() + length_s
        held = self._deadline
        self._deadline = (end_s if held is None else min(end_s, held[0]), code)

    @contextmanager
    def beating(self, also: Callable[[], None]) -> Generator[None]:
        """The running event loop beats in here, and must not stop to; `also` is done each time."""
        loop = asyncio.get_running_loop()
        handle: asyncio.TimerHandle | None = None

        def beat() -> None:
            nonlocal handle
            self._beats += 1
            self._beat_s = self._clock.monotonic_s()
            handle = loop.call_later(BEAT_S, beat)
            also()

        beat()
        self._beating = True
        try:
            yield
        finally:
            self._beating = False
            if handle is not None:
                handle.cancel()

    def alive(self) -> Health:
        """Whether the loop has beaten lately; before its first beat all is well."""
        if not self._beating:
            return Health(good=True, reason="the event loop does not run")
        age_s = self._clock.monotonic_s() - self._beat_s
        good = age_s <= self._bounds.live_s
        return Health(good=good, reason=f"the event loop beat {age_s:.1f} s ago")

    def _look_on(self) -> None:
        """Count own looks without a beat: a process that was stopped as a whole has not stalled."""
        pause = threading.Event()
        looks_max = self._bounds.stall_s / LOOK_S
        seen, looks = -1, 0
        while True:
            pause.wait(LOOK_S)
            deadline = self._deadline
            if deadline is not None and self._clock.monotonic_s() >= deadline[0]:
                self._exit("process.killed", deadline[1])
            looks = looks + 1 if self._beating and self._beats == seen else 0
            seen = self._beats
            if looks >= looks_max:
                self._exit("process.stalled", CRASHED)

    def _exit(self, name: LogName, code: int) -> None:
        """Say it, but do not wait for who does not listen."""
        last = threading.Thread(target=self._tell, args=(name, code), daemon=True)
        with suppress(RuntimeError):  # no new thread while the interpreter ends
            last.start()
            last.join(TELL_S)
        os._exit(code)

    def _tell(self, name: LogName, code: int) -> None:
        if self.log is not None:
            self.log.tell(name, exit_code=code, where=_main_thread())


def _main_thread() -> str:
    """Where the main thread is, innermost first: files, lines and functions, no values."""
    frames = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # its only name
    at: FrameType | None = frames.get(threading.main_thread().ident or 0)
    places: list[str] = []
    while at is not None and len(places) < FRAMES_MAX:
        places.append(f"{at.f_code.co_filename}:{at.f_lineno} {at.f_code.co_qualname}")
        at = at.f_back
    return " < ".join(places)
