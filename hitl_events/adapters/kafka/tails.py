"""Whether records stand at the ends of places, of many at the same time: committed ones only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from aiokafka.structs import TopicPartition

from hitl_events.adapters.kafka.consuming import Consuming
from hitl_events.adapters.kafka.records import Place
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.trouble import Doing

Spans = Mapping[Place, tuple[int, int]]
"""Place -> offsets from the first on, to before the second."""

LOOK_S = 0.5
"""A fetch takes milliseconds. Where a transaction is open nothing is found out in any time."""
FETCH_BYTES = 64 * 1024
"""Of one place: whether there is a record, and not what."""
_LOOK_MS = 20
"""How long the end may go unnoticed where markers, which are no records, stand before it."""


class Tails(Consuming):
    """One connection for one question at a time. `async with Tails(settings) as tails`.

    It needs READ on the topics, whose places must be there.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        super().__init__(settings, fetch_bytes=FETCH_BYTES)

    async def hold(self, spans: Spans) -> dict[Place, bool]:
        """Whether each span has a record; without those of which it was not found out in time."""
        found: dict[Place, bool] = {}
        ends = {TopicPartition(*place): end for place, (_, end) in spans.items()}
        self._consumer.assign(list(ends))
        for place, (start, _) in spans.items():
            self._consumer.seek(TopicPartition(*place), start)
        until_s = time.monotonic() + LOOK_S
        while ends and time.monotonic() < until_s:
            for at, records in (await self._call(self._next(list(ends)), spans)).items():
                if at in ends:  # the first tells, whether it is before the end or behind it
                    found[Place(*at)] = records[0].offset < ends.pop(at)
                    self._consumer.pause(at)
            for at in tuple(ends):
                if await self._call(self._consumer.position(at), spans) >= ends[at]:
                    found[Place(*at)] = False
                    del ends[at]
        return found

    def _next(self, places: list[Any]) -> Any:
        return self._consumer.getmany(*places, timeout_ms=_LOOK_MS, max_records=len(places))

    async def _call(self, call: Any, spans: Spans) -> Any:
        about = ", ".join(sorted({place.topic for place in spans}))
        doing = Doing(what=f"read the end of {about}", about=about, operation="READ")
        return await self._bounded.call(call, doing)
