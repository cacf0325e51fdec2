"""One partition that is kept up with: what comes in is folded into the read model, as it comes.

While one piece is written the next gathers: idle, an event is in the read model after one commit;
under load the pieces are large. Knows no broker.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from hitl_events.adapters.kafka.records import Stored
from hitl_events.errors import CorruptLog
from hitl_events.ports import StoredEvent
from hitl_events.runtime.projector import PIECE_EVENTS
from hitl_events.runtime.tenant import Tenant

PIECE_BYTES = 8 * 1024 * 1024
"""Of values in one transaction, where events are large: five times that in memory, once."""
WAITING_EVENTS_MAX = 2 * PIECE_EVENTS
WAITING_BYTES_MAX = 2 * PIECE_BYTES
"""Of one partition: what is being written, and the piece after it."""
LOOK_S = 0.5
"""How long marks of transactions may stand behind the last event until they are passed."""

_T = TypeVar("_T")


class Do(Protocol):
    """Does work that blocks, elsewhere."""

    def __call__(self, work: Callable[[], _T]) -> Awaitable[_T]:
        """Its result."""
        ...


FedTo = Callable[[], Awaitable[int | None]]
"""The offset up to which everything was fed; None before the first."""
Told = Callable[[int, float], None]
"""Told how many events were written, and how many seconds that took."""


class Writer:
    """Writes pieces of one partition and tells of it."""

    def __init__(self, tenant: Tenant, do: Do, told: Told) -> None:
        self._tenant = tenant
        self._do = do
        self._told = told

    @property
    def next_offset(self) -> int:
        """All before it is in the read model."""
        return self._tenant.next_offset

    async def write(self, records: Sequence[Stored], next_offset: int) -> None:
        """All of them in one transaction; errors are those of `Tenant.write`."""
        events, empty = _events(records)
        began_s = asyncio.get_running_loop().time()
        if events:
            end = next_offset if empty is None else empty.offset
            await self._do(partial(self._tenant.write, events, end))
        elif empty is None:
            await self._do(partial(self._tenant.move, next_offset))
        took_s = asyncio.get_running_loop().time() - began_s
        self._told(len(events), took_s)
        if empty is not None:
            where = f"{empty.place}, offset {empty.offset}"
            place = (empty.place.topic, empty.place.partition, empty.offset)
            raise CorruptLog(where, "expected an event, found no value", place=place)


class Folded:
    """A partition that is ours and caught up: fed from `begin` on, which its `serve` calls."""

    gates = None

    def __init__(self, writer: Writer, begin: Callable[[Folded], None], fed_to: FedTo) -> None:
        self._writer = writer
        self._begin = begin
        self._fed_to = fed_to
        self._waiting: deque[Stored] = deque()
        self._waiting_bytes = 0
        self._writing = 0
        self._news = asyncio.Event()
        self._stopped = False

    async def serve(self) -> None:
        """Until `stop`, which ends it after the piece that is being written."""
        self._begin(self)
        while not self._stopped:
            await self._news_or_a_while()
            piece = self._take()
            # what was fed and the place up to which it was fed change together: if nothing waits,
            # all before that place is in this piece or was in one before
            fed_to = await self._fed_to()
            end = piece[-1].offset + 1 if piece else self._writer.next_offset
            if fed_to is not None and not self._waiting:
                end = max(end, fed_to)
            if end > self._writer.next_offset and not self._stopped:
                await self._writer.write(piece, end)
            self._writing = 0

    def stop(self) -> None:
        """End after the piece that is being written."""
        self._stopped = True
        self._news.set()

    def feed(self, records: Sequence[Stored]) -> None:
        """The next records, in order."""
        self._waiting += records
        self._waiting_bytes += sum(map(_size, records))
        self._news.set()

    @property
    def is_full(self) -> bool:
        """True where nothing more is to be fed for now."""
        return (
            len(self._waiting) + self._writing >= WAITING_EVENTS_MAX
            or self._waiting_bytes >= WAITING_BYTES_MAX
        )

    def held(self, topic: str) -> int:
        """How many were fed and are not in the read model."""
        return len(self._waiting) + self._writing

    async def _news_or_a_while(self) -> None:
        if self._waiting:
            return
        self._news.clear()
        if self._stopped:
            return
        try:
            async with asyncio.timeout(LOOK_S):
                await self._news.wait()
        except TimeoutError:
            return

    def _take(self) -> list[Stored]:
        piece: list[Stored] = []
        size_bytes = 0
        while self._waiting and len(piece) < PIECE_EVENTS and size_bytes < PIECE_BYTES:
            record = self._waiting.popleft()
            piece.append(record)
            size_bytes += _size(record)
        self._waiting_bytes -= size_bytes
        self._writing = len(piece)
        return piece


def _events(records: Sequence[Stored]) -> tuple[list[StoredEvent], Stored | None]:
    """Those up to the first that has no value, and that one: no engine writes such."""
    events: list[StoredEvent] = []
    for record in records:
        if record.value is None:
            return events, record
        events.append(StoredEvent(offset=record.offset, value=record.value))
    return events, None


def _size(record: Stored) -> int:
    return len(record.value or b"")
