"""Carries the ends of steps to whoever owns their runs now: a command that only engines send."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import NamedTuple, Protocol, Self

from hitl_events.adapters.inbound import RECORD_BYTES_MAX
from hitl_events.adapters.inbound.proof import PRODUCER, producer_header
from hitl_events.adapters.inbound.write import report_json
from hitl_events.adapters.kafka.records import Outgoing, Place
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId
from hitl_events.engine.inputs import StepReport
from hitl_events.errors import HitlError
from hitl_events.ports import Clock

WORTH_S = 60.0
"""A report that could not be sent for so long is given up: as if this process had died."""
WAITING_BYTES_MAX = 16 * 1024 * 1024
RETRY_S = 1.0
FLUSH_S = 1.0
"""At the end of the process, of the 10 s that it has."""


class Sending(Protocol):
    """Puts records into topics, until its first error."""

    async def send(self, record: Outgoing) -> int:
        """Its offset once it is acknowledged."""
        ...


class _Letter(NamedTuple):
    record: Outgoing
    size: int
    until_s: float


class Courier:
    """Sends in order, as long as the block is open; at its end what waits has a second more."""

    def __init__(
        self,
        open_sender: Callable[[], AbstractAsyncContextManager[Sending]],
        place: Callable[[RunId], Place],
        keys: TokenKeys,
        clock: Clock,
    ) -> None:
        """`place` says where the commands for a run go."""
        self._open_sender = open_sender
        self._place = place
        self._keys = keys
        self._clock = clock
        self._waiting: deque[_Letter] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._done = asyncio.Event()
        self._done.set()
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._running = self._group.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await self._done.wait()
        self._running.cancel()
        await self._group.__aexit__(None, None, None)

    def carry(self, report: StepReport) -> None:
        """Soon. One that no inbound record can hold is not sent, nor one where too much waits."""
        value = encoded(report)
        if value is None or self._bytes + len(value) > WAITING_BYTES_MAX:
            return
        record = Outgoing(
            place=self._place(report.run_id),
            key=report.run_id.encode(),
            value=value,
            headers=(
                ("content-type", b"application/json"),
                (PRODUCER, producer_header(self._keys, "engine", value)),
            ),
        )
        until_s = self._clock.monotonic_s() + WORTH_S
        self._waiting.append(_Letter(record, len(value), until_s))
        self._bytes += len(value)
        self._done.clear()
        self._news.set()

    async def _run(self) -> None:
        """Until cancelled; trouble with the brokers ends nothing."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                async with self._open_sender() as sender:
                    await self._send_all(sender)
            except HitlError:
                self._give_up_old()
                await asyncio.sleep(RETRY_S)
                self._news.set()

    async def _send_all(self, sender: Sending) -> None:
        while self._waiting:
            await sender.send(self._waiting[0].record)
            self._drop()
        self._done.set()

    def _give_up_old(self) -> None:
        while self._waiting and self._waiting[0].until_s < self._clock.monotonic_s():
            self._drop()

    def _drop(self) -> None:
        self._bytes -= self._waiting.popleft().size


def encoded(report: StepReport) -> bytes | None:
    """The record's value; None for one that is too large, or says what no record can."""
    try:
        value = report_json(report)
    except HitlError:
        return None
    return value if len(value) <= RECORD_BYTES_MAX else None
