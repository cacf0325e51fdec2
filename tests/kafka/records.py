"""A record as the independent client reads or writes it."""

from __future__ import annotations

from hitl_events.domain.values import value

Headers = tuple[tuple[str, bytes], ...]


@value
class Record:
    """What was read: bytes at (topic, partition, offset), with the broker's time."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    @property
    def named(self) -> dict[str, bytes]:
        """The headers by name, the last of a name."""
        return dict(self.headers)


@value
class Outgoing:
    """What is to be written; without a partition the key decides, as Kafka's own clients do it."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    partition: int | None = None
