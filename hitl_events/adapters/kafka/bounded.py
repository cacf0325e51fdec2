"""One bound around every call of the driver: it ends in its time, and in an error of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import ExitStack
from typing import TypeVar

from hitl_events.adapters.kafka.dropping import close_first_connection
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.trouble import (
    KNOWN,
    Doing,
    listening,
    new_heard,
    too_slow,
    translated,
)

START_S = 10.0
"""Connect, find the coordinator, fence: 0.1-0.3 s; after a broker's death a new coordinator reads
its log for some seconds."""
CALL_S = 4.0
"""One request and its answer: milliseconds. Below the 5 s in which a missing right must be told."""
TRANSACTION_S = 10.0
"""A batch of 2,000 records: 50 ms. The rest is for a change of leader (7 s were seen)."""
STOP_S = 2.0
"""Closing sockets: milliseconds. A process has 10 s to drain."""
REQUEST_TIMEOUT_MS = 4_000
"""After it the driver closes the connection and tries again."""

_T = TypeVar("_T")


class Bounded:
    """The calls of one client. What its driver logs meanwhile tells why one failed."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._heard = new_heard()

    async def call(self, call: Awaitable[_T], doing: Doing, *, within_s: float = CALL_S) -> _T:
        """Its result; a `HitlError` if it fails or takes longer. Cancelling it cancels the call.

        The driver sometimes lets a cancellation of its own escape: unless it was us who were
        cancelled, that is a failure of the call.
        """
        task = asyncio.current_task()
        assert task is not None
        asked = task.cancelling()
        bound = asyncio.timeout(within_s)
        with listening(self._heard):
            try:
                async with bound:
                    return await _leaving_nothing(call)
            except asyncio.CancelledError:
                if task.cancelling() > asked:
                    raise
                raise too_slow(doing, within_s, self._settings, self._heard) from None
            except TimeoutError as error:
                if bound.expired():
                    raise too_slow(doing, within_s, self._settings, self._heard) from None
                raise translated(error, doing, self._settings, self._heard) from error
            except KNOWN as error:
                raise translated(error, doing, self._settings, self._heard) from error


async def _leaving_nothing(call: Awaitable[_T]) -> _T:
    with ExitStack() as undo:
        undo.push(close_first_connection)
        return await call
