"""Stops a recipe that spins: code between two awaits that does not give control back."""

from __future__ import annotations

import ctypes
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import Any

from hitl_events.errors import RecipeSpins

ADVANCE_S_MAX = 5.0
"""What a recipe may compute between two awaits; real work belongs in a step."""

_TICK_S = 0.25


class _Insists(RecipeSpins):
    """Sent where one was swallowed: the next line of the recipe, in its own handler, raises anew.

    Python makes it in the thread that it strikes, so that this can set a trace there.
    """

    def __init__(self) -> None:
        super().__init__()
        frame = sys._getframe(1)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]  # its only name
        inner: FrameType | None = frame
        while inner is not None and not _is_ours(inner):
            inner.f_trace = _raise_anew
            inner = inner.f_back
        sys.settrace(_raise_anew)


def _raise_anew(frame: FrameType, event: str, _arg: object) -> Any:
    # other events are told where the exception still can be caught
    if event == "line" and not _is_ours(frame):
        sys.settrace(None)
        raise RecipeSpins
    return _raise_anew


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith("hitl_events.")


class Watchdog:
    """A thread that looks whether an advance takes too long.

    It counts its own ticks, not the time: a process that was stopped (SIGSTOP, a suspended machine)
    has lost time, and no recipe is to blame for it.
    """

    def __init__(self, limit_s: float = ADVANCE_S_MAX) -> None:
        self._ticks_max = max(1, round(limit_s / _TICK_S))
        self._ticks = 0
        self._seen = 0
        self._turn = 0
        self._inside = False
        self._aiming = False
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
        self._inside = False
        # The watcher says that it aims before it looks whether we are inside: so either it sees
        # that we are not, or we see this. It spares a lock twice for each await of a recipe.
        if self._aiming:
            self._call_off()

    def _call_off(self) -> None:
        with self._lock:
            self._aiming = False
            if self._fired:
                self._fired = False
                sys.settrace(None)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._owner), None)

    def _start(self) -> None:
        self._owner = threading.get_ident()
        thread = threading.Thread(target=self._watch, name="hitl-watchdog", daemon=True)
        # Where the system has no thread to give, an advance goes unwatched and the next one tries
        # again: it is no recipe's fault, and would be recorded as one.
        with suppress(RuntimeError):
            thread.start()
            self._thread = thread

    def _watch(self) -> None:
        while not self._closed.wait(_TICK_S):
            self._look()

    def _look(self) -> None:
        """One tick: stop what has been in one and the same advance for all of its ticks."""
        if not self._inside or self._turn != self._seen:
            self._seen, self._ticks = self._turn, 0
            return
        self._ticks += 1
        if self._ticks >= self._ticks_max:
            self._stop(self._seen)

    def _stop(self, turn: int) -> None:
        """Again and again while it stays inside: a handler of the recipe's own may swallow one."""
        with self._lock:
            self._aiming = True
            if self._inside and self._turn == turn:
                raised = _Insists if self._fired else RecipeSpins
                self._fired = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._owner), ctypes.py_object(raised)
                )

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(timeout=2 * _TICK_S)
