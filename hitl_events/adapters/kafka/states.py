"""The keyed state of one owned partition: a local file that the log can make again at any time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

from hitl_events.domain.values import RunId, value
from hitl_events.ports import Appended, Codec, RunPosition


@value
class Noted:
    """What a state file is true for.

    `events_end` is the offset after the last event that is in it, `last_digest` the SHA-256 of
    that event's value (None where there is none yet), `inputs` the offset to go on from by inbound
    topic, `marked` the offset of the last `PartitionMark` that is known to be in the log.
    """

    events_end: int = 0
    last_digest: bytes | None = None
    inputs: Mapping[str, int]
    marked: int | None = None


class StateFile:
    """`RunStates` over a SQLite file. Written only after the log: it is behind or level, never
    ahead. Of another version, identity, or damaged: thrown away and begun anew, never an error.
    """

    @classmethod
    def open(cls, path: Path, identity: str, codec: Codec) -> Self:
        """The file at that path, if it is of this identity (cluster, prefix, partition, count)."""
        raise NotImplementedError

    @property
    def noted(self) -> Noted | None:
        """What it is true for; None for one that holds nothing (yet)."""
        raise NotImplementedError

    def clear(self) -> None:
        """Begin anew, with nothing in it."""

    def apply(
        self,
        events: Sequence[Appended],
        positions: Iterable[RunPosition],
        events_end: int,
        inputs: Mapping[str, int],
    ) -> None:
        """A batch that is in the log, in one transaction of the file.

        `events_end` is the offset after its last event (unchanged where it has none); its events
        stand next to each other. `inputs` names the topics that moved. `ImpossibleHistory` where
        it does not go on from what the file holds; then nothing is changed.
        """

    def sweep(self, before: datetime, limit: int) -> int:
        """Forget the refusals of up to `limit` runs that ended before then; how many it found."""
        raise NotImplementedError

    def close(self) -> None:
        """Give the file back."""

    # RunStates

    async def load(self, run_ids: Iterable[RunId]) -> Mapping[RunId, tuple[bytes, ...]]:
        """The event values of each active run; of an ended one its end mark."""
        raise NotImplementedError

    async def busy(self, limit: int) -> Sequence[RunId]:
        """Runs with steps to run, oldest first."""
        raise NotImplementedError

    async def due(self, now: datetime, limit: int) -> Sequence[RunId]:
        """Runs whose earliest timer is not later than `now`, earliest first."""
        raise NotImplementedError

    async def next_due(self) -> datetime | None:
        """When the earliest timer of all runs is due."""
        raise NotImplementedError

    def positions(self) -> AsyncIterator[Sequence[RunPosition]]:
        """Every run's position, in the order of their start, in pieces."""
        raise NotImplementedError
