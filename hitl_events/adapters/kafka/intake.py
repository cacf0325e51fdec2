"""What was read of a partition's inbound topics and is not settled yet. Knows no client.

Numbers count what was fed, from 1; they stand for places in two topics. What is settled out of
order is committed once everything before it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from hitl_events.adapters.inbound.proof import FORWARDED, origin_of, proven_channel
from hitl_events.adapters.kafka.lane import Lane
from hitl_events.adapters.kafka.records import Stored
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.domain.events import Source
from hitl_events.domain.token import TokenKeys
from hitl_events.ports import Headers, InboundKind, InboundRecord

FED_RECORDS_MAX = 1_024
"""Two batches of the runner, so that none of them waits for the network; 3 MB."""
FED_BYTES_MAX = 16 * 1024 * 1024
"""Of all partitions of a process the bound of memory: 12 of them hold 200 MB at the very most."""

Ends = Callable[[], Awaitable[Mapping[str, tuple[int, int]]]]
"""Topic -> (position up to which it was fed, high watermark of now)."""
Fed = Callable[[], Awaitable[Mapping[str, int] | None]]
"""Topic -> position up to which it was fed, markers included; None before that has begun."""


class FedIntake:
    """The records of one partition of the inbound topics, by the numbers that they got here."""

    def __init__(
        self,
        topics: Topics,
        keys: TokenKeys,
        ends: Ends,
        fed: Fed,
        lanes: Mapping[str, Lane] | None = None,
    ) -> None:
        """`lanes` (by topic) hold records back that can not be read yet; none: all can be."""
        self._lanes = lanes or {}
        self._kinds: dict[str, InboundKind] = {
            topics.decisions: "decision",
            topics.commands: "command",
        }
        self._keys = keys
        self._ends = ends
        self._fed = fed
        self._waiting: deque[InboundRecord] = deque()
        self._held: dict[int, tuple[Stored, InboundRecord]] = {}
        self._open: dict[str, dict[int, None]] = {topic: {} for topic in self._kinds}
        self._next: dict[str, int] = {}
        self._committed: dict[str, int] = {}
        self._last = 0
        self._bytes = 0
        self._has_news = False

    # fed by the group

    def begin(self, offsets: Mapping[str, int]) -> None:
        """Topic -> from where on it will be fed."""
        self._committed = dict(offsets)

    def feed(self, fetched: Iterable[Stored]) -> None:
        """Records of one topic, in the order of their offsets."""
        for each in fetched:
            self._last += 1
            record = self._read(each, self._last)
            lane = self._lanes.get(each.place.topic)
            if lane is None or lane.lets_pass(record):
                self._waiting.append(record)
            self._held[self._last] = (each, record)
            self._open[each.place.topic][each.offset] = None
            self._next[each.place.topic] = each.offset + 1
            self._bytes += _bytes_of(each)
        self._has_news = True

    def admit(self, records: Iterable[InboundRecord]) -> None:
        """Those of a lane that can be read by now."""
        self._waiting.extend(records)
        self._has_news = True

    @property
    def lanes(self) -> Iterable[Lane]:
        """Where records may wait that were fed and can not be taken yet."""
        return self._lanes.values()

    @property
    def is_full(self) -> bool:
        """True where nothing more is to be fed for now."""
        return len(self._held) >= FED_RECORDS_MAX or self._bytes >= FED_BYTES_MAX

    def count(self, topic: str) -> int:
        """How many of a topic's records were fed and are not settled."""
        return len(self._open[topic])

    def _read(self, fetched: Stored, number: int) -> InboundRecord:
        value = fetched.value or b""
        origin = origin_of(self._keys, fetched.headers, value)
        place = Source(
            topic=fetched.place.topic,
            partition=fetched.place.partition,
            offset=fetched.offset,
            timestamp_ms=fetched.timestamp_ms,
        )
        return InboundRecord(
            kind=self._kinds[fetched.place.topic],
            key=fetched.key,
            value=value,
            is_null=fetched.value is None,
            headers=fetched.headers if origin is None else _as_submitted(fetched.headers),
            channel=proven_channel(self._keys, fetched.headers, value) or "topic",
            source=origin or place,
            number=number,
            forwarded=origin is not None,
        )

    # taken by the runner

    def changed(self) -> bool:
        """True if something was fed since the last call."""
        had, self._has_news = self._has_news, False
        return had

    def take(self, limit: int) -> Sequence[InboundRecord]:
        """The next ones, each once."""
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(limit, len(waiting)))]

    async def caught_up(self) -> bool:
        """True if all that the topics hold now was fed, and can be taken."""
        ends = await self._ends()
        held = any(lane.is_held for lane in self._lanes.values())
        return not held and all(fed >= high for fed, high in ends.values())

    # settled by a transaction

    def held(self, number: int) -> InboundRecord:
        """A record that is not settled yet."""
        return self._held[number][1]

    def offsets_after(self, numbers: Sequence[int]) -> dict[str, int]:
        """Topic -> the offset to commit once these are settled too; the topics that they move."""
        moved = {self._held[number][0].place.topic: set[int]() for number in numbers}
        for number in numbers:
            fetched = self._held[number][0]
            moved[fetched.place.topic].add(fetched.offset)
        found: dict[str, int] = {}
        for topic, settled in moved.items():
            left = (offset for offset in self._open[topic] if offset not in settled)
            found[topic] = next(left, self._next[topic])
        return found

    async def passed(self) -> dict[str, int]:
        """Topic -> the offset to commit where all is settled, and markers stand behind it.

        Left there it would be an offset that the topic has forgotten, once its records are old.
        """
        fed = await self._fed() or {}
        return {
            topic: upto
            for topic, upto in fed.items()
            if not self._open[topic] and upto > self._committed.get(topic, upto)
        }

    def committed(self, offsets: Mapping[str, int]) -> None:
        """These are durable."""
        self._committed.update(offsets)

    def settle(self, numbers: Iterable[int]) -> None:
        """These were settled by a transaction that is durable."""
        for number in numbers:
            fetched, _ = self._held.pop(number)
            del self._open[fetched.place.topic][fetched.offset]
            self._bytes -= _bytes_of(fetched)


def _bytes_of(fetched: Stored) -> int:
    """Whoever may write there may also fill a key or a header."""
    headers = sum(len(name) + len(held) for name, held in fetched.headers)
    return len(fetched.key or b"") + len(fetched.value or b"") + headers


def _as_submitted(headers: Headers) -> Headers:
    """Without the header that whoever passed the record on added at the end."""
    last = max(index for index, (name, _) in enumerate(headers) if name == FORWARDED)
    return headers[:last] + headers[last + 1 :]
