"""What crosses the border of this package: places, records to write and records that were read."""

from __future__ import annotations

from typing import NamedTuple

from hitl_events.domain.values import value
from hitl_events.ports import Headers


class Place(NamedTuple):
    """One partition of a topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


@value
class Outgoing:
    """A record to write at a place. Key and value may both be None (a keyless tombstone)."""

    place: Place
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@value
class Stored:
    """A record as it stands in the log.

    `timestamp_ms` is the broker's append time where the topic says so, else the writer's clock.
    """

    place: Place
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
