"""Coroutines that seldom wait, ended by Ctrl-C wherever they are."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any, NoReturn, TypeVar

_T = TypeVar("_T")


def interruptible(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """What it returns; Ctrl-C is `KeyboardInterrupt` in the very line that runs.

    asyncio's own answer to the signal is to cancel the task, which hears of it when it next waits.
    Reads of a file never wait: an export would go on to its end. What drives runs and has steps to
    close stays with asyncio's.
    """
    if threading.current_thread() is not threading.main_thread():
        return asyncio.run(coroutine)  # signals are the main thread's
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:  # whoever took the signal answers it
        return asyncio.run(coroutine)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        return asyncio.run(coroutine)
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(_: int, __: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
