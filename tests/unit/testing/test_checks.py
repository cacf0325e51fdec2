"""A check that cannot fail is a defect: each of these logs breaks one promise, and is found out."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from hitl_events.adapters.memory import MemoryBlobs, MemoryLog
from hitl_events.domain.references import Reference
from hitl_events.domain.values import RunId
from hitl_events.ports import (
    Answer,
    DeadLetter,
    EffectBatch,
    InboundRecord,
    RunPosition,
    StoredEvent,
)
from hitl_events.testing import (
    BrokenPromise,
    check_blobs,
    check_dead_letters,
    check_event_log,
    check_intake,
    check_owner,
    check_run_states,
)
from tests.contract.storages import MemoryStorage


class LosesTheLast(MemoryLog):
    async def append(self, batch: EffectBatch) -> None:
        await super().append(replace(batch, events=batch.events[:-1], positions=[]))


class ReadsBackwards(MemoryLog):
    def read(self, start: int = 0) -> AsyncIterator[Sequence[StoredEvent]]:
        return self._reversed(super().read(start))

    async def _reversed(
        self, reading: AsyncIterator[Sequence[StoredEvent]]
    ) -> AsyncIterator[Sequence[StoredEvent]]:
        async for piece in reading:
            yield piece[::-1]


class IgnoresTheStart(MemoryLog):
    def read(self, start: int = 0) -> AsyncIterator[Sequence[StoredEvent]]:
        return super().read(0)


class AcceptsAnything(MemoryLog):
    def _check_owner(self, held: Any) -> None:
        """Nobody is refused."""


class HasManyOwners(MemoryLog):
    def try_own(self) -> bool:
        self.usurp()
        return super().try_own()


class NoticesNothing(MemoryLog):
    def changed(self) -> bool:
        return False


class ForgetsRuns(MemoryLog):
    async def load(self, run_ids: Iterable[RunId]) -> Mapping[RunId, tuple[bytes, ...]]:
        return await super().load(list(run_ids)[:1000])


class FiresEarly(MemoryLog):
    async def due(self, now: datetime, limit: int) -> Sequence[RunId]:
        return await super().due(datetime.max.replace(tzinfo=now.tzinfo), limit)


class RestsAlways(MemoryLog):
    async def busy(self, limit: int) -> Sequence[RunId]:
        return []


class RoundsTimers(MemoryLog):
    async def next_due(self) -> datetime | None:
        due = await super().next_due()
        return due and due.replace(microsecond=0)


class SortsRuns(MemoryLog):
    async def positions(self) -> AsyncIterator[Sequence[RunPosition]]:
        found = [each async for page in super().positions() for each in page]
        yield sorted(found, key=lambda each: each.run_id)


class TakesAgain(MemoryLog):
    async def take(self, after: int, limit: int) -> Sequence[InboundRecord]:
        return await super().take(0, limit)


class AnswersEarly(MemoryLog):
    async def answer(self, offset: int) -> Answer | None:
        return await super().answer(offset) or Answer(run_id=None, seq=None)


class DropsHeaders(MemoryLog):
    async def put(self, record: InboundRecord) -> int:
        return await super().put(replace(record, headers=()))


class HasOnePlace(MemoryLog):
    async def take(self, after: int, limit: int) -> Sequence[InboundRecord]:
        taken = await super().take(after, limit)
        return [replace(each, source=replace(each.source, offset=7)) for each in taken]


class IsNeverCaughtUp(MemoryLog):
    async def caught_up(self) -> bool:
        return False


class ListsOldestFirst(MemoryLog):
    async def list(self, limit: int) -> Sequence[tuple[int, DeadLetter]]:
        return (await super().list(limit))[::-1]


class Storage(MemoryStorage):
    """The storage of one of these logs."""

    def __init__(self, broken: type[MemoryLog]) -> None:
        super().__init__()
        self._broken = broken

    async def open(self) -> MemoryLog:
        log = await super().open()
        log.__class__ = self._broken
        return log


class ForgetsBlobs(MemoryBlobs):
    async def put(self, reference: Reference, data: bytes) -> None:
        """Nothing is kept."""


class TakesAnyBlob(MemoryBlobs):
    async def put(self, reference: Reference, data: bytes) -> None:
        self.held[reference.digest] = data


class CutsBlobs(MemoryBlobs):
    async def get(self, reference: Reference) -> bytes | None:
        return (await super().get(reference) or b"")[:-1] or None


@pytest.mark.parametrize("broken", [ForgetsBlobs, TakesAnyBlob, CutsBlobs])
async def test_a_broken_blob_store_is_found_out(broken: type[MemoryBlobs]) -> None:
    """The check fails, and says what was expected."""
    blobs = broken()

    with pytest.raises(BrokenPromise, match="expected"):
        await check_blobs(lambda: blobs)


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        (check_event_log, LosesTheLast),
        (check_event_log, ReadsBackwards),
        (check_event_log, IgnoresTheStart),
        (check_owner, AcceptsAnything),
        (check_owner, HasManyOwners),
        (check_owner, NoticesNothing),
        (check_run_states, ForgetsRuns),
        (check_run_states, FiresEarly),
        (check_run_states, RestsAlways),
        (check_run_states, RoundsTimers),
        (check_run_states, SortsRuns),
        (check_intake, TakesAgain),
        (check_intake, AnswersEarly),
        (check_intake, DropsHeaders),
        (check_intake, HasOnePlace),
        (check_intake, IsNeverCaughtUp),
        (check_dead_letters, ListsOldestFirst),
    ],
)
async def test_a_broken_log_is_found_out(check: Any, broken: type[MemoryLog]) -> None:
    """The check fails, and says in words which promise is broken."""

    @asynccontextmanager
    async def make() -> AsyncGenerator[Storage]:
        yield Storage(broken)

    with pytest.raises(BrokenPromise, match=r"^[A-Z`].+\.\nexpected .+, found "):
        await check(make)


@pytest.mark.parametrize(
    "check", [check_event_log, check_owner, check_run_states, check_intake, check_dead_letters]
)
async def test_a_sound_log_passes(check: Any) -> None:
    """The same check passes for the log that these are made from."""

    @asynccontextmanager
    async def make() -> AsyncGenerator[MemoryStorage]:
        yield MemoryStorage()

    await check(make)
