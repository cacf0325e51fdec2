"""Records as the driver's batches: half the work of sending them one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from hitl_events.adapters.kafka.records import Outgoing, Place
from hitl_events.adapters.kafka.topics import DEAD_LETTER_BYTES_MAX
from hitl_events.errors import LogUnavailable, RecordTooLarge

RECORD_OVERHEAD_BYTES = 128
"""The head of a batch (61) and the lengths of a record and of its headers."""


class Batches:
    """The records of one transaction, by place, in their order; one that is full begins the next.

    `RecordTooLarge` when it is made, for a record that no topic of ours can hold.
    """

    def __init__(self, producer: Any, records: Sequence[Outgoing]) -> None:
        self._producer = producer
        self._count = len(records)
        by_place: dict[Place, list[_Batch]] = {}
        for index, record in enumerate(records):
            _check_size(record)
            batches = by_place.setdefault(record.place, [])
            if not batches or not batches[-1].append(record, index):
                batches.append(_Batch(record.place, producer.create_batch()))
                batches[-1].append(record, index)
        # The second batch of a place waits until the first is on its way: so the first ones of all
        # places go out before.
        rounds = zip_longest(*by_place.values())
        self._batches = [batch for round_ in rounds for batch in round_ if batch is not None]

    async def written(self) -> tuple[int, ...]:
        """Send all, wait for all; the offset of each record."""
        sent: list[tuple[_Batch, asyncio.Future[Any]]] = []
        try:
            for batch in self._batches:
                topic, partition = batch.place
                future = await self._producer.send_batch(batch.builder, topic, partition=partition)
                sent.append((batch, future))
            offsets = [0] * self._count
            if sent:  # so that to cancel us cancels none of them: see `_forget`
                await asyncio.wait([each for _, each in sent], return_when=asyncio.FIRST_EXCEPTION)
            for batch, future in sent:
                batch.place_offsets((await future).offset, offsets)
        finally:
            for _, future in sent:
                _forget(future)
        return tuple(offsets)


class _Batch:
    """One batch of the driver's, and which records are in it."""

    def __init__(self, place: Place, builder: Any) -> None:
        self.place = place
        self.builder = builder
        self._indices: list[int] = []

    def append(self, record: Outgoing, index: int) -> bool:
        """False if it is full."""
        added = self.builder.append(
            timestamp=None, key=record.key, value=record.value, headers=list(record.headers)
        )
        if added is not None:
            self._indices.append(index)
        return added is not None

    def place_offsets(self, first: int, offsets: list[int]) -> None:
        if first < 0:  # the broker had it already, from a first try, and no longer knows where
            raise LogUnavailable("expected the offset of a batch, found none: read the log anew")
        for step, index in enumerate(self._indices):
            offsets[index] = first + step


def _check_size(record: Outgoing) -> None:
    size = RECORD_OVERHEAD_BYTES + len(record.key or b"") + len(record.value or b"")
    for name, held in record.headers:
        size += len(name) + len(held) + 10
    if size > DEAD_LETTER_BYTES_MAX:
        raise RecordTooLarge(record.place.topic, f"{size} bytes, more than {DEAD_LETTER_BYTES_MAX}")


def _forget(future: asyncio.Future[Any]) -> None:
    """Where one batch failed nobody asks for the others: their errors are no news to the loop.

    It shields one of the driver's, of which nobody would hear any more if this one were cancelled.
    """
    future.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
