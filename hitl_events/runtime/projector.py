"""Folds one partition of a log into the read model, a piece and its offset at a time.

If the process dies between reading and writing, nothing of the piece was written and the next one
reads it again; if it dies after, the offset says so. Of two at work the later one goes on, and the
other is fenced at its next write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Protocol

from hitl_events.errors import ReadModelDiffers
from hitl_events.ports import Codec, StoredEvent
from hitl_events.projections.store import RowStore, Tenure
from hitl_events.runtime.tenant import Tenant

PIECE_EVENTS = 2_000
"""One transaction; more of them together make it 10 % faster and take the memory for it."""


class Source(Protocol):
    """A partition of the log, as far as it is read here."""

    def read(self, start: int = 0) -> AsyncIterator[Sequence[StoredEvent]]:
        """Committed events from offset `start` to the end at the call, in order, in pieces."""
        ...


class Projector:
    """`catch_up` as often as there is something new. After an error it is to be made anew."""

    def __init__(
        self,
        source: Source,
        store: RowStore,
        codec: Codec,
        *,
        partition: int = 0,
        piece_events: int = PIECE_EVENTS,
    ) -> None:
        self._source = source
        self._new_tenant = partial(Tenant, store, codec, "events", partition)
        self._piece_events = piece_events
        self._tenant: Tenant | None = None

    @property
    def next_offset(self) -> int:
        """All before it is in the read model."""
        return 0 if self._tenant is None else self._tenant.next_offset

    async def catch_up(self, told: Callable[[int], None] = lambda _events: None) -> int:
        """Fold what was committed when it is called; `told` hears how many events more are in.

        `ReadModelDiffers` if the log is not the one that was folded before; else the errors of
        `Tenant.write`.
        """
        if self._tenant is None:
            taken = self._new_tenant()
            await self._check_same(taken.tenure)
            self._tenant = taken
        gathered: list[StoredEvent] = []
        async for piece in self._source.read(self.next_offset):
            gathered += piece
            if len(gathered) >= self._piece_events:
                _write(self._tenant, gathered, told)
                gathered = []
        if gathered:
            _write(self._tenant, gathered, told)
        return self.next_offset

    async def _check_same(self, tenure: Tenure) -> None:
        last_offset = tenure.last_offset
        if tenure.next_offset != (0 if last_offset is None else last_offset + 1):
            raise ReadModelDiffers(tenure.partition, tenure.next_offset - 1)
        if last_offset is None:
            return
        async for piece in self._source.read(last_offset):
            if piece[0].offset == last_offset and piece[0].value == tenure.last:
                return
            break
        raise ReadModelDiffers(tenure.partition, last_offset)


def _write(tenant: Tenant, gathered: Sequence[StoredEvent], told: Callable[[int], None]) -> None:
    tenant.write(gathered, gathered[-1].offset + 1)
    told(len(gathered))
