"""Keeping a partition through trouble: what is made anew, and what must be confirmed before."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from hitl_events.clustered import keeper as module
from hitl_events.clustered.keeper import Keeper
from hitl_events.errors import (
    CorruptLog,
    Fenced,
    HitlError,
    LogUnavailable,
    OffsetOutside,
    RegistryUnavailable,
)
from hitl_events.testing import ManualClock

UNAVAILABLE: HitlError = LogUnavailable("expected a broker, found none")


class Driven:
    """Serves until it is stopped, or fails as it was told to."""

    gates = 3

    def __init__(self, failure: HitlError | None) -> None:
        self._failure = failure
        self._stopped = asyncio.Event()

    async def serve(self) -> None:
        """Until stopped."""
        if self._failure is not None:
            raise self._failure
        await self._stopped.wait()

    def stop(self) -> None:
        """End it."""
        self._stopped.set()


class World:
    """A partition whose takeovers, servings and confirmations fail as listed, then no more."""

    def __init__(
        self,
        served: list[HitlError | None] | None = None,
        unconfirmed: list[HitlError] | None = None,
        fails_late: list[HitlError] | None = None,
        stands_for: tuple[type[HitlError], ...] = (CorruptLog,),
    ) -> None:
        self.story: list[str] = []
        self.clock = ManualClock()
        self._served = served or []
        self._unconfirmed = unconfirmed or []
        self.news = asyncio.Event()
        self._fails_late = fails_late or []
        self.keeper = Keeper(
            4, self.take_over, self.confirm, self, self.clock, stands_for=stands_for
        )

    @asynccontextmanager
    async def take_over(self, partition: int) -> AsyncGenerator[Driven]:
        """As of a broker."""
        self.say(f"takes over {partition}")
        if self._fails_late:
            self.clock.advance(3600)
            raise self._fails_late.pop(0)
        try:
            yield Driven(self._served.pop(0) if self._served else None)
        finally:
            self.say("lets go")

    async def confirm(self, partition: int) -> None:
        """As of a group."""
        if self._unconfirmed:
            self.say("is not confirmed")
            self.clock.advance(50)
            raise self._unconfirmed.pop(0)
        self.say("confirmed")

    def taken(self, partition: int, restore_s: float, gates: int | None) -> None:
        """Told by the keeper."""
        assert gates == Driven.gates
        self.say("serves")

    def lost(self, partition: int, error: HitlError | None) -> None:
        """Told by the keeper."""
        self.say(f"lost: {type(error).__name__}" if error else "gave back")

    def held(self, partition: int, topic: str, error: HitlError | None) -> None:
        """Told by nobody here."""

    def say(self, what: str) -> None:
        """Note it, and wake who waits."""
        self.story.append(what)
        self.news.set()

    async def has_said(self, what: str, times: int = 1) -> None:
        """Wait for it."""
        async with asyncio.timeout(20):
            while self.story.count(what) < times:
                self.news.clear()
                await self.news.wait()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trouble is over at once."""
    monkeypatch.setattr(module, "BACKOFF_S", 0.001)


async def test_an_orderly_end() -> None:
    """It is served until it is stopped, then given back."""
    world = World()
    task = asyncio.create_task(world.keeper.keep())
    await world.has_said("serves")
    assert world.keeper.is_ready

    world.keeper.stop()
    await task

    assert world.story == ["takes over 4", "serves", "lets go", "gave back"]
    assert not world.keeper.is_ready


async def test_one_that_is_cancelled_is_told_of_too() -> None:
    """Whoever counts the partitions that are served does not count it for ever."""
    world = World()
    task = asyncio.create_task(world.keeper.keep())
    await world.has_said("serves")

    task.cancel()
    await asyncio.wait([task], timeout=20)

    assert task.cancelled()
    assert world.story == ["takes over 4", "serves", "lets go", "gave back"]


@pytest.mark.parametrize(
    "error",
    [
        UNAVAILABLE,
        Fenced("expected to own it, found another"),
        RegistryUnavailable("expected an answer, found none"),
    ],
)
async def test_after_trouble_it_is_taken_over_anew(error: HitlError) -> None:
    """Not before the group has confirmed, after the failure, that the partition is ours."""
    world = World(served=[error], unconfirmed=[UNAVAILABLE])
    task = asyncio.create_task(world.keeper.keep())
    await world.has_said("serves", 2)
    world.keeper.stop()
    await task

    assert world.story[:7] == [
        "takes over 4",
        "serves",
        "lets go",
        f"lost: {type(error).__name__}",
        "is not confirmed",
        "confirmed",
        "takes over 4",
    ]


async def test_a_corrupt_partition_stands_still() -> None:
    """It is not served, not taken over again, and the process goes on with its neighbours."""
    world = World(served=[CorruptLog("t.events-4, offset 7", "no event")])
    task = asyncio.create_task(world.keeper.keep())
    await world.has_said("lost: CorruptLog")
    assert (world.keeper.is_ready, task.done()) == (False, False)
    assert isinstance(world.keeper.trouble, CorruptLog)

    world.keeper.stop()
    await task

    assert world.story == ["takes over 4", "serves", "lets go", "lost: CorruptLog"]


async def test_what_it_stands_still_for_is_its_owners_choice() -> None:
    """A projector leaves a partition alone whose offset is gone; an engine ends for it."""
    gone = OffsetOutside("t.events", 4, 9, (10, 20))
    world = World(served=[gone], stands_for=(OffsetOutside,))
    task = asyncio.create_task(world.keeper.keep())
    await world.has_said("lost: OffsetOutside")
    assert (world.keeper.trouble, task.done()) == (gone, False)

    world.keeper.stop()
    await task


async def test_a_long_takeover_that_fails_is_no_lasting_trouble() -> None:
    """It has read for an hour when the broker goes: the two minutes begin then."""
    world = World(fails_late=[UNAVAILABLE], unconfirmed=[UNAVAILABLE])
    task = asyncio.create_task(world.keeper.keep())
    await world.has_said("serves")
    world.keeper.stop()
    await task

    assert world.story.count("takes over 4") == 2


async def test_trouble_that_does_not_end_ends_the_process() -> None:
    """A partition that could not be had for two minutes is a failure that somebody must see."""
    world = World(served=[UNAVAILABLE], unconfirmed=[UNAVAILABLE] * 5)

    with pytest.raises(LogUnavailable):
        await world.keeper.keep()
    assert world.story.count("is not confirmed") == 3


async def test_what_can_not_be_mended_is_raised_at_once() -> None:
    """A committed offset that the log has not, say: no other process could go on either."""
    world = World(served=[OffsetOutside("t.decisions", 4, 9, (10, 20))])

    with pytest.raises(OffsetOutside):
        await world.keeper.keep()


async def test_a_stop_while_it_waits_for_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """The partition is not taken over any more."""
    monkeypatch.setattr(module, "GIVE_UP_S", 10_000)
    world = World(served=[UNAVAILABLE], unconfirmed=[UNAVAILABLE] * 5)
    task = asyncio.create_task(world.keeper.keep())
    await world.has_said("is not confirmed")
    world.keeper.stop()
    await task

    assert world.story.count("takes over 4") == 1
