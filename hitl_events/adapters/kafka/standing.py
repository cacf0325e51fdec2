"""What the group has to settle, and has settled, of one topic: asked for all its partitions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hitl_events.adapters.kafka.ends import Ends
from hitl_events.adapters.kafka.group import Group
from hitl_events.adapters.kafka.records import Place
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.tails import Tails
from hitl_events.errors import CorruptLog, HitlError


class TopicStanding:
    """Of a topic that the group reads; `LogUnavailable` where the brokers give no answer."""

    def __init__(
        self, settings: KafkaSettings, topic: str, partitions: int, ends: Ends, group: Group
    ) -> None:
        self.topic = topic
        self._partitions = range(partitions)
        self._settings = settings
        self._ends = ends
        self._group = group

    async def ends(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """The high watermarks, in one request to each broker."""
        found = await self._ends.high(map(self._place, partitions))
        return {place.partition: offset for place, offset in found.items()}

    async def committed(self) -> Mapping[int, int]:
        """What the group has committed, in one request."""
        return await self._group.settled(self.topic, self._partitions)

    async def waits(self, spans: Mapping[int, tuple[int | None, int]]) -> Mapping[int, bool]:
        """Whether a committed record stands in each span; left out where it is not known yet.

        One that can not be read is a record. No partition spoils the answer of another.
        """
        try:
            return await self._waits(spans)
        except HitlError as error:
            if len(spans) == 1:
                return dict.fromkeys(spans, True) if isinstance(error, CorruptLog) else {}
        found: dict[int, bool] = {}
        for partition, span in spans.items():
            found.update(await self.waits({partition: span}))
        return found

    async def _waits(self, spans: Mapping[int, tuple[int | None, int]]) -> dict[int, bool]:
        first = await self._ends.first(map(self._place, spans))
        wanted: dict[Place, tuple[int, int]] = {}
        for partition, (start, end) in spans.items():
            place = self._place(partition)
            at = max(start or 0, first[place])  # what the topic has forgotten nobody can settle
            if at < end:
                wanted[place] = (at, end)
        found = {at: False for at in spans if self._place(at) not in wanted}
        if wanted:
            async with Tails(self._settings) as tails:
                held = await tails.hold(wanted)
            found |= {place.partition: waits for place, waits in held.items()}
        return found

    def _place(self, partition: int) -> Place:
        return Place(self.topic, partition)
