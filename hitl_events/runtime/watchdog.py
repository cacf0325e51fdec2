"""Stops a recipe that spins: code between two awaits that does not give control back."""

from __future__ import annotations

import ctypes
import threading
import time

from hitl_events.errors import RecipeSpins

ADVANCE_S_MAX = 5.0
"""What a recipe may compute between two awaits; real work belongs in a step."""

_TICK_S = 0.25


class Watchdog:
    """A thread that looks whether an advance takes too long."""

    def __init__(self, limit_s: float = ADVANCE_S_MAX) -> None:
        self._limit_s = limit_s
        self._turn = 0
        self._inside = False
        self._fired = False
        self._owner = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """A recipe gets control."""
        self._turn += 1
        self._inside = True
        if self._thread is None:
            self._start()

    def end(self) -> None:
        """It has given it back; an exception that was sent and has not arrived is called off."""
        with self._lock:
            self._inside = False
            if self._fired:
                self._fired = False
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._owner), None)

    def _start(self) -> None:
        self._owner = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="hitl-watchdog", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        seen, since_s = -1, time.monotonic()
        while not self._closed.wait(_TICK_S):
            if not self._inside or self._turn != seen:
                seen, since_s = self._turn, time.monotonic()
            elif time.monotonic() - since_s > self._limit_s:
                self._stop(seen)

    def _stop(self, turn: int) -> None:
        """Again and again while it stays inside: the recipe's own `except:` may swallow one."""
        with self._lock:
            if self._inside and self._turn == turn:
                self._fired = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._owner), ctypes.py_object(RecipeSpins)
                )

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(timeout=2 * _TICK_S)
