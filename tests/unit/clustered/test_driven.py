"""Driving a partition: it is fed once it serves, and swept until it ends."""

import asyncio
from collections.abc import Iterable, Sequence

import pytest

from hitl_events.adapters.inbound import WriterSchemas
from hitl_events.adapters.kafka import lane
from hitl_events.adapters.kafka.intake import FedIntake
from hitl_events.adapters.kafka.lane import Lane
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.clustered.driven import Driven
from hitl_events.domain.token import TokenKeys
from hitl_events.errors import HitlError, LogUnavailable, RegistryUnavailable, StateLost
from hitl_events.ports import InboundRecord

TOPICS = Topics("t")


class Runner:
    """Serves until it is stopped; raises what it is given then."""

    def __init__(self, failure: HitlError | None = None) -> None:
        self._stopped = asyncio.Event()
        self._failure = failure
        self.nudged = asyncio.Event()
        self.ended_in_order = False

    async def serve(self) -> None:
        """Until stopped."""
        await self._stopped.wait()
        if self._failure is not None:
            raise self._failure
        self.ended_in_order = True

    def stop(self) -> None:
        """End it."""
        self._stopped.set()

    def nudge(self) -> None:
        """Something came."""
        self.nudged.set()


class Intake:
    """Takes nothing."""

    is_full = False

    def feed(self, fetched: Sequence[Stored]) -> None:
        """Nothing."""

    def admit(self, records: Iterable[InboundRecord]) -> None:
        """Nothing waits in lanes."""

    @property
    def lanes(self) -> Iterable[Lane]:
        """None."""
        return ()

    def count(self, topic: str) -> int:
        """None."""
        return len(topic) * 0


class Sweeper:
    """Sweeps until it is cancelled, or fails."""

    def __init__(self, failure: HitlError | None = None) -> None:
        self.begun = asyncio.Event()
        self.cancelled = False
        self._failure = failure

    async def sweep_on(self) -> None:
        """Until cancelled."""
        self.begun.set()
        if self._failure is not None:
            raise self._failure
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


class Shelf:
    """A registry that is away for so many questions."""

    def __init__(self, away: int) -> None:
        self._away = away

    async def schema(self, schema_id: int) -> str | None:
        self._away -= 1
        if self._away >= 0:
            raise RegistryUnavailable("expected an answer, found none")
        return None


def waiting(runner: Runner, away: int) -> tuple[Driven, FedIntake]:
    """With one record that waits for a registry, which is away for so many questions."""

    async def ends() -> dict[str, tuple[int, int]]:
        return {}

    async def fed() -> None:
        return None

    schemas = WriterSchemas(Shelf(away), lambda: 0.0)
    lanes = {TOPICS.decisions: Lane(schemas, lambda _: None)}
    intake = FedIntake(TOPICS, TokenKeys([b"k" * 32]), ends, fed, lanes)
    driven = Driven(runner, intake, Sweeper(), lambda _: None)
    place, framed = Place(TOPICS.decisions, 0), b"\0\0\0\0\x01\0"
    driven.feed([Stored(place=place, offset=0, timestamp_ms=1, key=None, value=framed)])
    return driven, intake


async def test_the_sweeper_ends_with_the_runner() -> None:
    """It sweeps for as long as the partition is served, and delays no end."""
    sweeper, begun = Sweeper(), list[Driven]()
    driven = Driven(Runner(), Intake(), sweeper, begun.append)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(driven.serve())
        await sweeper.begun.wait()
        driven.stop()

    assert begun == [driven]
    assert sweeper.cancelled


async def test_what_ends_the_runner_is_told_as_it_is() -> None:
    """Whoever keeps the partition decides by the error's type."""
    driven = Driven(Runner(LogUnavailable("gone")), Intake(), Sweeper(), lambda _: None)

    driven.stop()
    async with asyncio.timeout(5):
        with pytest.raises(LogUnavailable):
            await driven.serve()


async def test_a_state_that_can_not_be_swept_ends_the_runner() -> None:
    """The file is damaged: the partition is taken over again, with a new one."""
    driven = Driven(Runner(), Intake(), Sweeper(StateLost("damaged")), lambda _: None)

    async with asyncio.timeout(5):
        with pytest.raises(StateLost):
            await driven.serve()


async def test_a_registry_that_stays_away_ends_it_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Running steps may end and be recorded first; then the partition is to be taken anew."""
    monkeypatch.setattr(lane, "TELL_S", 0.01)
    monkeypatch.setattr(lane, "HOLD_S", 0.02)
    runner = Runner()
    driven, _ = waiting(runner, away=10_000)

    async with asyncio.timeout(5):
        with pytest.raises(RegistryUnavailable):
            await driven.serve()
    assert runner.ended_in_order


async def test_records_that_can_be_read_by_now_are_told_to_the_runner() -> None:
    """It looks at once."""
    runner = Runner()
    driven, intake = waiting(runner, away=1)
    runner.nudged.clear()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(driven.serve())
        await runner.nudged.wait()
        driven.stop()

    assert len(intake.take(9)) == 1
