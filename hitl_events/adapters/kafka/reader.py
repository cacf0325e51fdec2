"""Reads one place at a time: committed records, up to an end that is fixed at the call."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence

from aiokafka.structs import TopicPartition

from hitl_events.adapters.kafka.bounded import CALL_S
from hitl_events.adapters.kafka.consuming import Consuming
from hitl_events.adapters.kafka.headers import headers_of
from hitl_events.adapters.kafka.metadata import know
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.adapters.kafka.trouble import Doing
from hitl_events.errors import CorruptLog, LogUnavailable, OffsetOutside

PIECE_RECORDS = 2_000
"""At 500 bytes each 1 MB: what is held at a time."""
STALL_S = 10.0
"""So long nothing may move before reading ends in an error: a change of leader takes 7 s."""
_LOOK_MS = 20
"""How long the end may go unnoticed where markers, which are no records, stand before it."""


class Reader(Consuming):
    """One connection for reading; one read at a time. `async with Reader(settings) as reader`."""

    async def bounds(self, place: Place) -> tuple[int, int]:
        """The first offset that is there, and the last stable one (not included)."""
        await know(self._consumer._client, self._bounded, [place])  # noqa: SLF001 - else a denied topic is a time-out
        at = TopicPartition(*place)
        doing = Doing(what=f"find the offsets of {place}", about=place.topic)
        first = await self._bounded.call(self._consumer.beginning_offsets([at]), doing)
        stable = await self._bounded.call(self._consumer.end_offsets([at]), doing)
        return first[at], stable[at]

    async def read(self, place: Place, start: int | None = None) -> AsyncIterator[Sequence[Stored]]:
        """Records from `start` (None: the first there is) to the last stable offset at the call.

        In order, in pieces that are not empty. `OffsetOutside` where `start` is not in the log or
        its end; `LogUnavailable` where nothing moves for `STALL_S`.
        """
        first, end = await self.bounds(place)
        position = first if start is None else start
        if not first <= position <= end:
            raise OffsetOutside(place.topic, place.partition, position, (first, end))
        if position == end:
            return
        at = TopicPartition(*place)
        self._consumer.assign([at])
        self._consumer.seek(at, position)
        moved_s = time.monotonic()
        while position < end:
            piece = await self._some(place, PIECE_RECORDS)
            before, position = position, await self._position(place)
            if position > before:
                moved_s = time.monotonic()
            elif time.monotonic() - moved_s > STALL_S:
                raise _stalled(place, position, end)
            if piece and piece[-1].offset >= end:
                piece = [record for record in piece if record.offset < end]
            if piece:
                yield piece

    async def at(self, place: Place, offset: int) -> Stored | None:
        """The committed record at that offset; None if there is none (or none that is visible)."""
        first, end = await self.bounds(place)
        if not first <= offset < end:
            return None
        at = TopicPartition(*place)
        self._consumer.assign([at])
        self._consumer.seek(at, offset)
        until_s = time.monotonic() + STALL_S
        while True:
            piece = await self._some(place, 1)
            if piece:
                return piece[0] if piece[0].offset == offset else None
            if await self._position(place) > offset:
                return None
            if time.monotonic() > until_s:
                raise _stalled(place, offset, end)

    async def _some(self, place: Place, limit: int) -> list[Stored]:
        at = TopicPartition(*place)
        call = self._consumer.getmany(at, timeout_ms=_LOOK_MS, max_records=limit)
        try:
            found = await self._bounded.call(call, _reading(place))
        except CorruptLog as error:
            offset = await self._position(place)
            where = f"{place}, offset {offset}"
            raise CorruptLog(
                where, error.problem, place=(place.topic, place.partition, offset)
            ) from None
        return [
            Stored(
                place=place,
                offset=each.offset,
                timestamp_ms=each.timestamp,
                key=each.key,
                value=each.value,
                headers=headers_of(each),
            )
            for each in found.get(at, ())
        ]

    async def _position(self, place: Place) -> int:
        call = self._consumer.position(TopicPartition(*place))
        return int(await self._bounded.call(call, _reading(place), within_s=CALL_S))


def _reading(place: Place) -> Doing:
    return Doing(what=f"read {place}", about=place.topic, operation="READ")


def _stalled(place: Place, position: int, end: int) -> LogUnavailable:
    return LogUnavailable(
        f"expected to read {place} up to offset {end}, found that it stays at {position} for "
        f"{STALL_S:g} s: check that its leader runs (kafka-topics.sh --describe)"
    )
