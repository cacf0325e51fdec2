"""Up to when all decisions were heard: what is waited for, what is not, and for how long."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from hitl_events.clustered import horizon as module
from hitl_events.clustered.horizon import PATIENCE_S, Horizon
from hitl_events.domain.values import EPOCH
from hitl_events.errors import LogUnavailable
from hitl_events.testing import ManualClock

AWAY = LogUnavailable("expected an answer, found none")
RECORD, MARKER, OPEN = "rm?"
"""What may stand at an offset: `?` is of a transaction that is not ended."""


class World:
    """Three partitions as the brokers know them, and who asks."""

    def __init__(self) -> None:
        self.topic = "t.decisions"
        self.logs = {0: "", 1: "", 2: ""}
        self.offsets: dict[int, int] = {}
        self.silent: set[int] = set()
        self.away = False
        self.asked = {"ends": 0, "committed": 0, "waits": 0}
        self.told: list[tuple[int, str, int | None]] = []
        self.clock = ManualClock()
        self._news = asyncio.Event()
        self._nudged = 0
        self.horizon = Horizon(self, 3, self, self.clock)

    async def ends(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """As of the brokers: one that has no leader spoils the answer."""
        wanted = set(partitions)
        self._ask("ends", fails=self.away or bool(wanted & self.silent))
        return {at: len(self.logs[at]) for at in wanted}

    async def committed(self) -> Mapping[int, int]:
        """As of the group."""
        self._ask("committed", fails=self.away)
        return dict(self.offsets)

    async def waits(self, spans: Mapping[int, tuple[int | None, int]]) -> Mapping[int, bool]:
        """As a committed reader finds it."""
        self._ask("waits", fails=self.away)
        found = {at: self.logs[at][start or 0 : end] for at, (start, end) in spans.items()}
        return {at: RECORD in held for at, held in found.items() if OPEN not in held}

    def _ask(self, what: str, *, fails: bool) -> None:
        self.asked[what] += 1
        self._news.set()
        if fails:
            raise AWAY

    def passed_over(self, partition: int, topic: str, offset: int | None) -> None:
        """Told by the horizon."""
        self.told.append((partition, topic, offset))

    def nudge(self) -> None:
        """Told by the horizon."""
        self._nudged += 1
        self._news.set()

    def due(self) -> None:
        """A timer is due now, and its partition asks."""
        self.horizon.heard(self.clock.now())

    @property
    def reached(self) -> float:
        """Seconds of the test up to which all was heard; -1: not one yet."""
        found = self.horizon.heard(EPOCH)
        return -1 if found == EPOCH else (found - ManualClock().now()).total_seconds()

    async def reaches(self, times: int = 1) -> None:
        """Wait until a moment was reached for that time."""
        await self._until(lambda: self._nudged >= times)

    async def looks(self, what: str = "committed", times: int = 2) -> None:
        """Wait until it has asked so often again: what it found the first time counts by then."""
        before = self.asked[what]
        await self._until(lambda: self.asked[what] >= before + times)

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._news.clear()
                await self._news.wait()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are short."""
    for name in ("LOOK_S", "REST_S", "RETRY_S"):
        monkeypatch.setattr(module, name, 0.001)


@asynccontextmanager
async def opened() -> AsyncGenerator[World]:
    """A process that is told of moments."""
    world = World()
    async with world.horizon:
        world.horizon.tell(0, world.nudge)
        yield world


async def test_nothing_is_asked_while_no_timer_is_due() -> None:
    """And nothing more for what was reached already."""
    async with opened() as world:
        world.clock.advance(5)
        world.due()
        await world.reaches()
        asked = dict(world.asked)
        world.horizon.heard(world.clock.now() - timedelta(seconds=1))
        world.due()
        assert (world.reached, world.asked) == (5, asked)

        world.clock.advance(1)
        world.due()
        await world.reaches(2)
        assert (world.reached, world.asked["ends"]) == (6, asked["ends"] + 1)


async def test_what_was_there_is_waited_for_and_not_what_comes_later() -> None:
    """The moment is that of the question, also where it is reached later."""
    async with opened() as world:
        world.logs[1], world.offsets[1] = "rr", 1
        world.clock.advance(1)
        world.due()
        await world.looks()
        assert world.reached == -1

        world.clock.advance(1)
        world.logs[1] += "rrr"
        world.offsets[1] = 2
        await world.reaches()

        assert (world.reached, world.told) == (1, [])


async def test_markers_behind_the_last_record_are_not_waited_for() -> None:
    """The committed offset never passes them; that nothing else stands there is asked once."""
    async with opened() as world:
        world.logs[1], world.offsets[1] = "rmm", 1
        for number in range(3):
            world.clock.advance(1)
            world.due()
            await world.reaches(number + 1)

        assert (world.reached, world.asked["waits"]) == (3, 1)


async def test_a_transaction_that_is_open_is_waited_for() -> None:
    """It may commit a decision that arrived in time; where it is aborted there is none."""
    async with opened() as world:
        world.logs[2], world.offsets[2] = "r?", 1
        world.due()
        await world.looks()
        assert world.reached == -1

        world.logs[2] = "rxm"
        await world.reaches()

        assert world.reached == 0


async def test_where_nothing_was_committed_all_of_it_counts() -> None:
    """From its beginning."""
    async with opened() as world:
        world.logs[0] = "r"
        world.due()
        await world.looks()
        assert world.reached == -1

        world.offsets[0] = 1
        await world.reaches()

        assert world.reached == 0


async def test_one_that_does_not_move_is_waited_for_once() -> None:
    """Then timers go on without it, which is told; once it moves it is waited for again."""
    async with opened() as world:
        world.logs[1], world.offsets[1] = "rrr", 1
        world.due()
        await world.looks()
        world.clock.advance(PATIENCE_S + 1)
        await world.reaches()
        world.due()
        await world.reaches(2)
        assert (world.reached, world.told) == (PATIENCE_S + 1, [(1, "t.decisions", 1)])

        world.clock.advance(1)
        world.offsets[1] = 2
        world.due()
        await world.looks(times=3)

        assert (world.reached, len(world.told)) == (PATIENCE_S + 1, 1)


async def test_one_that_moves_is_waited_for_however_long_it_takes() -> None:
    """A backlog that is worked off holds decisions that arrived in time."""
    async with opened() as world:
        world.logs[1] = "r" * 9
        world.due()
        for settled in range(1, 9):
            world.offsets[1] = settled
            await world.looks()
            world.clock.advance(PATIENCE_S - 1)
        assert (world.reached, world.told) == (-1, [])

        world.offsets[1] = 9
        await world.reaches()

        assert (world.reached, world.told) == (0, [])


async def test_nobody_is_blamed_for_brokers_that_are_away() -> None:
    """Nothing could move meanwhile: the time counts anew once they answer."""
    async with opened() as world:
        world.logs[1] = "r"
        world.due()
        await world.looks()
        world.away = True
        await world.looks()
        world.clock.advance(PATIENCE_S + 1)
        world.away = False
        await world.looks(times=3)
        assert (world.reached, world.told) == (-1, [])

        world.offsets[1] = 1
        await world.reaches()

        assert world.told == []


async def test_one_without_a_leader_is_left_out_until_it_has_one() -> None:
    """After the same time, and told; where it answers again it counts again."""
    async with opened() as world:
        world.logs[2], world.silent = "r", {2}
        world.due()
        await world.looks("ends")
        world.clock.advance(PATIENCE_S + 1)
        await world.reaches()
        assert world.told == [(2, "t.decisions", None)]

        reached = world.reached
        world.silent = set()
        world.clock.advance(1)
        world.due()
        await world.looks(times=3)

        assert (world.reached, len(world.told)) == (reached, 1)


async def test_where_no_broker_answers_no_timer_goes_on() -> None:
    """However long: who decided in time could not be heard."""
    async with opened() as world:
        world.silent = {0, 1, 2}
        world.due()
        await world.looks("ends")
        world.clock.advance(10 * PATIENCE_S)
        await world.looks("ends", 20)
        assert (world.reached, world.told) == (-1, [])

        world.silent = set()
        await world.reaches()


async def test_who_is_forgotten_is_told_nothing() -> None:
    """A partition that went to others."""
    async with opened() as world:
        other = asyncio.Event()
        world.horizon.tell(1, other.set)
        world.horizon.forget(1)
        world.due()
        await world.reaches()

        assert not other.is_set()


async def test_its_block_ends_amid_a_question() -> None:
    """Whatever it waits for."""
    async with asyncio.timeout(20):
        async with opened() as world:
            world.logs[0] = "r"
            world.due()
            await world.looks()
        left = dict(world.asked)

    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert (world.reached, world.asked) == (-1, left)
