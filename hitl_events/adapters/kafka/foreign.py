"""Finds what somebody else wrote into a partition whose only writer we are."""

from __future__ import annotations

from collections.abc import Sequence

from hitl_events.adapters.kafka.reader import Reader
from hitl_events.adapters.kafka.records import Place
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.errors import CorruptLog


async def find_foreign(
    settings: KafkaSettings, place: Place, start: int, own: Sequence[int]
) -> None:
    """`CorruptLog` for the first record from `start` to the last of `own` that is not in `own`.

    Only committed records count: what a broker or an aborted transaction leaves is none.
    """
    ours = frozenset(own)
    async with Reader(settings) as reader:
        async for piece in reader.read(place, start):
            offsets = [record.offset for record in piece if record.offset < own[-1]]
            found = next((offset for offset in offsets if offset not in ours), None)
            if found is not None:
                problem = "expected events of its owner alone, found a record of somebody else"
                raise CorruptLog(
                    f"{place}, offset {found}", problem, place=(place.topic, place.partition, found)
                )
            if len(offsets) < len(piece):
                return
