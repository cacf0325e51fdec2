"""One process of several: partitions come, go and come again; an end is orderly and bounded."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import pytest

from hitl_events.clustered import cluster as module
from hitl_events.clustered.cluster import Cluster
from hitl_events.clustered.keeper import Keeper
from hitl_events.errors import HitlError, LogUnavailable, OffsetOutside
from hitl_events.testing import ManualClock
from tests.unit.turns import loop_has_come_round


class Stubborn:
    """Does not end when it is asked to, if `deaf`."""

    gates = 0

    def __init__(self, *, deaf: bool) -> None:
        self._stopped = asyncio.Event()
        self._deaf = deaf

    async def serve(self) -> None:
        """Until stopped."""
        await self._stopped.wait()

    def stop(self) -> None:
        """End it."""
        if not self._deaf:
            self._stopped.set()


class Inbound:
    """A group that deals out what the test says."""

    lags: Mapping[tuple[str, int], int] = {("hitl.decisions", 1): 7}

    def __init__(self, world: "World") -> None:
        self._world = world
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Join."""
        self._world.say("joins")

    async def pump(self) -> None:
        """Until cancelled, or told to fail."""
        await self.failure

    def cease(self, partition: int) -> None:
        """Feed no more."""
        self._world.say(f"ceases {partition}")

    async def stop(self) -> None:
        """Leave."""
        self._world.say("leaves")


class World:
    """A process, and what happened in it."""

    def __init__(self, *, deaf: bool = False, fatal: HitlError | None = None) -> None:
        self.story: list[str] = []
        self._deaf = deaf
        self._fatal = fatal
        self.news = asyncio.Event()
        self.stop = asyncio.Event()
        self.given_back = asyncio.Event()
        self.given_back.set()
        self.cluster = Cluster()
        self.inbound = Inbound(self)
        self.cluster.connect(self.inbound, self._keeper)

    def _keeper(self, number: int) -> Keeper:
        return Keeper(number, self.take_over, self._confirm, self, ManualClock())

    @asynccontextmanager
    async def take_over(self, partition: int) -> AsyncGenerator[Stubborn]:
        """As of a broker."""
        if self._fatal is not None:
            raise self._fatal
        try:
            yield Stubborn(deaf=self._deaf)
        finally:
            await self.given_back.wait()
            self.say(f"lets go of {partition}")

    async def _confirm(self, partition: int) -> None:
        return

    def taken(self, partition: int, restore_s: float, gates: int | None) -> None:
        """Told by a keeper."""
        self.say(f"serves {partition}")

    def lost(self, partition: int, error: HitlError | None) -> None:
        """Told by a keeper."""

    def held(self, partition: int, topic: str, error: HitlError | None) -> None:
        """Told by nobody here."""

    def say(self, what: str) -> None:
        """Note it, and wake who waits."""
        self.story.append(what)
        self.news.set()

    async def has_said(self, *whats: str) -> None:
        """Wait for all of them."""
        async with asyncio.timeout(20):
            while not set(whats) <= set(self.story):
                self.news.clear()
                await self.news.wait()

    async def serving(self, partition: int) -> asyncio.Task[None]:
        """The process under way, which serves that partition."""
        serving = asyncio.create_task(self.cluster.serve(self.stop))
        await self.has_said("joins")
        await self.cluster.assigned(frozenset({partition}))
        await self.has_said(f"serves {partition}")
        return serving

    async def says_again(self, what: str) -> None:
        """Wait until it was said a second time."""
        async with asyncio.timeout(20):
            while self.story.count(what) < 2:
                self.news.clear()
                await self.news.wait()


async def test_partitions_come_and_go() -> None:
    """What comes is served, what goes has ended before `revoked` returns, the others go on."""
    world = World()
    serving = asyncio.create_task(world.cluster.serve(world.stop))
    await world.has_said("joins")
    was_ready = world.cluster.ready
    await world.cluster.assigned(frozenset({1, 2}))
    await world.has_said("serves 1", "serves 2")
    assert (was_ready, world.cluster.ready) == (False, True)
    assert world.cluster.lags == Inbound.lags

    await world.cluster.revoked(frozenset({1}))

    assert world.story[-2:] == ["ceases 1", "lets go of 1"]
    assert dict(world.cluster.partitions) == {2: True}
    world.stop.set()
    await serving


async def test_an_end_lets_everything_go() -> None:
    """Partitions first, the group last."""
    world = World()
    serving = await world.serving(1)

    world.stop.set()
    await serving

    assert world.story == ["joins", "serves 1", "ceases 1", "lets go of 1", "leaves"]


async def test_who_does_not_end_in_time_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A partition goes to others within a bound, whatever its steps do."""
    monkeypatch.setattr(module, "STOP_S", 0.01)
    world = World(deaf=True)
    serving = await world.serving(1)

    await world.cluster.revoked(frozenset({1}))

    assert world.story[-1] == "lets go of 1"
    world.stop.set()
    await serving


async def test_a_partition_that_comes_back_waits_for_its_last_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who lets go late would take the feeding away from who serves it by then."""
    monkeypatch.setattr(module, "STOP_S", 0.01)
    monkeypatch.setattr(module, "CANCEL_S", 0.01)
    world = World(deaf=True)
    serving = await world.serving(1)
    world.given_back.clear()
    await world.cluster.revoked(frozenset({1}))

    await world.cluster.assigned(frozenset({1}))
    await loop_has_come_round()
    before = list(world.story)
    world.given_back.set()
    await world.says_again("serves 1")

    assert before == ["joins", "serves 1", "ceases 1"]
    assert world.story == [*before, "lets go of 1", "serves 1"]
    world.stop.set()
    await serving


async def test_what_a_keeper_can_not_mend_ends_the_process() -> None:
    """With that error itself, and the group is left."""
    world = World(fatal=OffsetOutside("t.decisions", 4, 9, (10, 20)))
    serving = asyncio.create_task(world.cluster.serve(world.stop))
    await world.has_said("joins")
    await world.cluster.assigned(frozenset({4}))

    with pytest.raises(OffsetOutside):
        await serving
    assert world.story[-1] == "leaves"


async def test_a_group_that_can_not_go_on_ends_the_process() -> None:
    """The partitions are let go first."""
    world = World()
    serving = await world.serving(4)

    world.inbound.failure.set_exception(LogUnavailable("expected the group, found none"))

    with pytest.raises(LogUnavailable):
        await serving
    assert world.story[-2:] == ["lets go of 4", "leaves"]
