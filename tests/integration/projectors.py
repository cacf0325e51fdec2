"""The read model that projectors fold into, looked at from outside, and what it should be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.contents import digest_of
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.opening import open_read_model
from hitl_events.adapters.readmodel.reader import Questions
from hitl_events.adapters.readmodel.sqlite import open_sqlite
from hitl_events.ports import StoredEvent
from hitl_events.runtime.projector import Projector
from tests.integration.engine import wait_until
from tests.integration.engines import PROJECTOR, World
from tests.kafka.records import Record

CODEC = AvroCodec()


class Shown:
    """One read model of a world: in a file of it, or at that URL."""

    def __init__(self, world: World, url: str | None = None) -> None:
        self._world = world
        self.url = url or f"sqlite:///{world.folder / 'read-model.db'}"

    def start(self, *names: str, metrics_port: str = "") -> None:
        """Start projectors that fold into it."""
        for name in names:
            self._world.start(
                name,
                script=PROJECTOR,
                HITL_READ_MODEL=self.url,
                HITL_METRICS_PORT=metrics_port,
            )

    def places(self) -> dict[int, int]:
        """Partition -> the offset that is next."""
        with closing(open_read_model(self.url, writable=False)) as database:
            return Questions(database).places()

    def digest(self) -> bytes:
        """Of all that it holds."""
        with closing(open_read_model(self.url, writable=False)) as database:
            return digest_of(database)

    def has_all(self) -> None:
        """Wait until it has all events that are in the topic now."""
        ends: dict[int, int] = {}
        for record in self._world.events():
            ends[record.partition] = record.offset + 1

        def has() -> bool:
            places = self.places()
            return all(places.get(number, 0) >= end for number, end in ends.items())

        wait_until(has, f"the read model has all before {ends}")

    def is_the_fold(self) -> None:
        """It has all, and is what the topic gives when it is folded from offset 0 on."""
        self.has_all()
        assert self.digest() == folded(self._world.events(), self._world.folder / "again.db")


class _Partition:
    def __init__(self, records: Iterable[Record]) -> None:
        self._events = [
            StoredEvent(offset=each.offset, value=each.value or b"") for each in records
        ]

    async def read(self, start: int = 0) -> AsyncIterator[Sequence[StoredEvent]]:
        """As the port says."""
        if events := [each for each in self._events if each.offset >= start]:
            yield events


def folded(records: Sequence[Record], path: Path) -> bytes:
    """The digest of a read model of these records, made in this process."""
    path.unlink(missing_ok=True)
    with closing(open_sqlite(path)) as database:
        for number in sorted({record.partition for record in records}):
            its = _Partition(record for record in records if record.partition == number)
            asyncio.run(Projector(its, ReadModel(database), CODEC, partition=number).catch_up())
        return digest_of(database)
