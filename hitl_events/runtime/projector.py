"""Folds one partition of a log into the read model, a piece and its offset at a time.

If the process dies between reading and writing, nothing of the piece was written and the next one
reads it again; if it dies after, the offset says so. Of two at work the later one goes on, and the
other is fenced at its next write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from hitl_events.errors import ImpossibleHistory, ReadModelDiffers
from hitl_events.ports import Codec, StoredEvent
from hitl_events.projections.folding import Folding
from hitl_events.projections.rows import Rows
from hitl_events.projections.store import RowStore, Tenure

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
        self._store = store
        self._folding = Folding(codec, store.load)
        self._partition = partition
        self._piece_events = piece_events
        self._tenure: Tenure | None = None

    @property
    def next_offset(self) -> int:
        """All before it is in the read model."""
        return 0 if self._tenure is None else self._tenure.next_offset

    async def catch_up(self, told: Callable[[int], None] = lambda _events: None) -> int:
        """Fold what was committed when it is called; `told` hears how many events more are in.

        `ReadModelDiffers` if the log is not the one that was folded before, `Fenced` if another
        took the partition over, `CorruptLog` or `ImpossibleHistory` for what no engine wrote.
        """
        if self._tenure is None:
            self._tenure = await self._taken_over()
        gathered: list[StoredEvent] = []
        async for piece in self._source.read(self._tenure.next_offset):
            gathered += piece
            if len(gathered) >= self._piece_events:
                self._write(gathered, told)
                gathered = []
        if gathered:
            self._write(gathered, told)
        return self.next_offset

    async def _taken_over(self) -> Tenure:
        tenure = self._store.take_over(self._partition)
        if tenure.last_offset is not None:
            await self._check_same(tenure, tenure.last_offset)
        if tenure.next_offset != (0 if tenure.last_offset is None else tenure.last_offset + 1):
            raise ReadModelDiffers(self._partition, tenure.next_offset - 1)
        return tenure

    async def _check_same(self, tenure: Tenure, last_offset: int) -> None:
        async for piece in self._source.read(last_offset):
            if piece[0].offset == last_offset and piece[0].value == tenure.last:
                return
            break
        raise ReadModelDiffers(self._partition, last_offset)

    def _write(self, gathered: Sequence[StoredEvent], told: Callable[[int], None]) -> None:
        assert self._tenure is not None, "the partition was taken over before"
        last_offset = gathered[-1].offset
        try:
            rows = self._folding.fold([each.value for each in gathered])
        except ImpossibleHistory:
            # Where another has written these events already they do not fit twice: `Fenced` then.
            self._store.write(self._tenure, Rows(), self._tenure.next_offset, last_offset)
            raise
        self._tenure = self._store.write(self._tenure, rows, last_offset + 1, last_offset)
        told(len(gathered))
