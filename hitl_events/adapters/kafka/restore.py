"""Takes a partition's state up: from its file, from checkpoints or from the first event.

Each of the three is tried only if what is known of the log does not contradict it; the last needs
nothing but the events, and what does not fit there is a corrupt log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, Protocol, TypeAlias

from hitl_events.adapters.kafka.checkpoints import Owned
from hitl_events.adapters.kafka.filling import Filled, fill
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.adapters.kafka.states import NOTHING, Noted, StateFile
from hitl_events.adapters.kafka.tail import Contradiction, Tail
from hitl_events.domain.values import RunId, digest, value
from hitl_events.ports import Codec

Base: TypeAlias = Literal["file", "checkpoints", "beginning"]

BEHIND_MAX = 1_000_000
"""A file that is further behind is not worth its tail: half a minute of folding."""


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
    `strays` are runs of the checkpoint topic that the log does not hold (any more).
    """

    base: Base
    events_end: int
    events_read: int
    inputs: Mapping[str, int]
    strays: tuple[RunId, ...] = ()


async def restore(states: StateFile, reader: Committed, owned: Owned, codec: Codec) -> Restored:
    """Bring the file up to the end of the log. Call it after the predecessor was fenced.

    `CorruptLog` names partition and offset and concerns this partition only; `PartitionsChanged`
    is for the whole engine to stop.
    """
    work = _Restore(states, reader, owned, codec)
    for attempt in (work.from_file, work.from_checkpoints):
        try:
            restored = await attempt()
        except Contradiction:
            restored = None
        if restored is not None:
            return restored
    return await work.from_beginning()


async def rebuild(states: StateFile, reader: Committed, owned: Owned, codec: Codec) -> Restored:
    """The same from the first event on, whatever file and checkpoints hold."""
    return await _Restore(states, reader, owned, codec).from_beginning()


class _Restore:
    """One partition's restore."""

    def __init__(self, states: StateFile, reader: Committed, owned: Owned, codec: Codec) -> None:
        self._states = states
        self._reader = reader
        self._owned = owned
        self._codec = codec
        self._suspects: list[RunId] = []

    async def from_file(self) -> Restored | None:
        """None for a file that is empty, far behind, or true for another log than this one."""
        noted = self._states.noted
        if noted is None or noted.last_digest is None:
            return None
        _, end = await self._reader.bounds(self._owned.events)
        if not 0 <= end - noted.events_end <= BEHIND_MAX or not await self._holds(noted):
            return None
        tail = Tail(self._states, self._owned.events, self._codec)
        await self._read(tail, noted)
        return self._restored("file", tail)

    async def from_checkpoints(self) -> Restored | None:
        """None where there are none, or they are of events that this log does not hold."""
        self._states.clear()
        filled = await fill(self._states, self._reader, self._owned, self._codec)
        if filled is None:
            return None
        first, end = await self._reader.bounds(self._owned.events)
        since = self._states.since(min(filled.offset, end))
        self._suspects = [run_id for run_id, _, _ in since]
        noted = await self._noted(filled) if first <= filled.offset <= end else None
        if noted is None:
            return None
        tail = Tail(self._states, self._owned.events, self._codec)
        tail.expect({run_id: (seq, head) for run_id, seq, head in since})
        await self._read(tail, noted, is_whole=False)
        if tail.expected:
            return None  # runs are ahead of the log: it has lost what they hold
        return self._restored("checkpoints", tail)

    async def from_beginning(self) -> Restored:
        """All events: `CorruptLog` where they do not fit together."""
        self._states.clear()
        tail = Tail(self._states, self._owned.events, self._codec, is_all=True)
        await self._read(tail, NOTHING, is_whole=False)
        known = self._states.held(self._suspects)
        strays = tuple(run_id for run_id in self._suspects if run_id not in known)
        return replace(self._restored("beginning", tail), strays=strays)

    async def _holds(self, noted: Noted) -> bool:
        """Whether the log has the event that was the last one."""
        found = await self._reader.at(self._owned.events, noted.events_end - 1)
        return found is not None and digest(found.value or b"") == noted.last_digest

    async def _noted(self, filled: Filled) -> Noted | None:
        """What the checkpoints are true for; None if the log lacks the event before it."""
        noted = Noted(
            events_end=filled.offset, last_digest=None, inputs=filled.inputs, marked=filled.offset
        )
        if filled.offset == 0:
            return noted
        found = await self._reader.at(self._owned.events, filled.offset - 1)
        return None if found is None else replace(noted, last_digest=digest(found.value or b""))

    async def _read(self, tail: Tail, noted: Noted, *, is_whole: bool = True) -> None:
        """All events from `noted` on. `is_whole`: the file is true for it, and for each piece."""
        tail.begin(noted, is_whole=is_whole)
        start = noted.events_end or None
        async for piece in self._reader.read(self._owned.events, start):
            for record in piece:
                tail.add(record)
        tail.end()

    def _restored(self, base: Base, tail: Tail) -> Restored:
        noted = tail.noted
        self._states.note(noted)
        return Restored(
            base=base,
            events_end=noted.events_end,
            events_read=tail.count,
            inputs=noted.inputs,
        )
