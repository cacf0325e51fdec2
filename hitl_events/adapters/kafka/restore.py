"""Takes a partition's state up: from its file, from checkpoints or from the first event."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from hitl_events.adapters.kafka.checkpoints import Owned
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.adapters.kafka.states import StateFile
from hitl_events.domain.values import value
from hitl_events.ports import Codec

Base: TypeAlias = Literal["file", "checkpoints", "beginning"]


class Committed(Protocol):
    """Reads committed records (`reader.Reader` is one)."""

    async def bounds(self, place: Place) -> tuple[int, int]:
        """The first offset that is there, and the last stable one (not included)."""
        ...

    def read(self, place: Place, start: int | None = None) -> AsyncIterator[Sequence[Stored]]:
        """Records from `start` to the last stable offset at the call, in order, in pieces."""
        ...

    async def at(self, place: Place, offset: int) -> Stored | None:
        """The committed record at that offset."""
        ...


@value
class Restored:
    """What the state rests on, and how many events were read after it.

    `inputs` are offsets to fall back on, by topic, where the group has committed none (any more).
    """

    base: Base
    events_end: int
    events_read: int
    inputs: Mapping[str, int]


async def restore(states: StateFile, reader: Committed, owned: Owned, codec: Codec) -> Restored:
    """Bring the file up to the end of the log. Call it after the predecessor was fenced.

    `CorruptLog` names partition and offset; `PartitionsChanged` stops the engine.
    """
    raise NotImplementedError


async def rebuild(states: StateFile, reader: Committed, owned: Owned, codec: Codec) -> Restored:
    """The same from the first event on, whatever file and checkpoints hold."""
    raise NotImplementedError
