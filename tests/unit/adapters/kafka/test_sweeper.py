"""Forgetting what an end mark need not keep: in time, in pieces, and in the checkpoints too."""

from collections.abc import AsyncGenerator, Generator
from datetime import timedelta
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest

from hitl_events.adapters.kafka import checkpoints, sweeper as module
from hitl_events.adapters.kafka.restore import rebuild, restore
from hitl_events.adapters.kafka.states import StateFile
from hitl_events.adapters.kafka.sweeper import Sweeper
from hitl_events.testing import ManualClock
from hitl_events.testing.checks.samples import Story
from tests.unit.adapters.committed import (
    CODEC,
    OWNED,
    CommittedLog,
    Owner,
    Telling,
    ended_history,
)

KEEP = timedelta(days=30)


@pytest.fixture(autouse=True)
def small_numbers() -> Generator[None]:
    """A round every four events, three runs in a piece."""
    with (
        patch.multiple(checkpoints, EVENTS_BETWEEN=4, RUNS_MIN=2),
        patch.object(module, "PIECE_RUNS", 3),
    ):
        yield


class World:
    """An owner whose runs all ended at the same time, with a refused decision each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = CommittedLog()
        self.owner = Owner(self.log, path / "first.state")
        self.runs = [Telling(f"over-{n}", ended_history(Random(3), refused=True)) for n in range(5)]
        self.other = Story("other")
        self.clock = ManualClock()

    async def write(self) -> None:
        """All runs, each in a transaction of its own."""
        await self.owner.take_over()
        for run in self.runs:
            events = run.tell(1000)
            self.owner.commit(events, [run.position()])
            self.clock = ManualClock(events[-1].event.recorded_at)

    @property
    def sweeper(self) -> Sweeper:
        """That of the owner."""
        return self.sweeper_for(KEEP)

    def sweeper_for(self, keep: timedelta) -> Sweeper:
        """One with another setting."""
        assert self.owner.checkpointer is not None
        return Sweeper(self.owner.states, self.owner.checkpointer, self.clock, keep)

    def go_on(self) -> None:
        """So much happens in another run that two rounds of checkpoints are written."""
        for _ in range(16):
            self.owner.commit(self.other.tell(), [self.other.position()])

    def marks(self, states: StateFile) -> list[bytes | None]:
        """As a file holds them."""
        kept = {
            each.position.run_id: each.mark for each in states.kept(r.run_id for r in self.runs)
        }
        return [kept[run.run_id] for run in self.runs]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[World]:
    """All of it, and long over."""
    found = World(tmp_path)
    await found.write()
    yield found
    found.owner.die()


async def test_nothing_goes_before_its_time(world: World) -> None:
    """An end mark is whole for as long as the setting says."""
    before = world.marks(world.owner.states)
    world.clock.advance(KEEP)

    assert not world.sweeper.sweep()

    assert world.marks(world.owner.states) == before


async def test_for_ever_is_a_length_too(world: World) -> None:
    """A setting of more years than there were is no error; nothing goes."""
    before = world.marks(world.owner.states)

    assert not world.sweeper_for(timedelta.max).sweep()

    assert world.marks(world.owner.states) == before


async def test_it_goes_in_pieces(world: World) -> None:
    """Each look does a bounded piece, and says whether there is more."""
    before = world.marks(world.owner.states)
    world.clock.advance(KEEP + timedelta(seconds=1))

    assert [world.sweeper.sweep() for _ in range(3)] == [True, False, False]

    after = world.marks(world.owner.states)
    assert all(len(a or b"") < len(b or b"") for a, b in zip(after, before, strict=True))


async def test_the_checkpoints_follow(world: World, other: StateFile) -> None:
    """Who restores from the topic after the next round has the same marks, and nothing to do."""
    world.go_on()
    world.clock.advance(KEEP + timedelta(seconds=1))
    while world.sweeper.sweep():
        pass
    world.go_on()

    found = await restore(other, world.log, OWNED, CODEC)

    assert found.base == "checkpoints"
    assert world.marks(other) == world.marks(world.owner.states)
    assert other.sweep(world.clock.now(), 10) == []


@pytest.mark.parametrize("base", ["checkpoints", "events"])
async def test_what_comes_back_is_forgotten_again(
    world: World, other: StateFile, base: str
) -> None:
    """An owner that died before the next round, or a fold of all events: the same after a sweep."""
    world.go_on()
    world.clock.advance(KEEP + timedelta(seconds=1))
    long = world.marks(world.owner.states)
    while world.sweeper.sweep():
        pass

    take_up = restore if base == "checkpoints" else rebuild
    await take_up(other, world.log, OWNED, CODEC)

    assert world.marks(other) == long
    assert len(other.sweep(world.clock.now() - KEEP, 10)) == len(world.runs)
    assert world.marks(other) == world.marks(world.owner.states)


async def test_a_quiet_partition_waits_for_its_next_round(world: World) -> None:
    """Where nothing is written the runs whose checkpoints have to follow do not pile up."""
    world.clock.advance(KEEP + timedelta(seconds=1))
    before = world.marks(world.owner.states)

    with patch.object(module, "WAITING_MAX", 0):
        assert not world.sweeper.sweep()

    assert world.marks(world.owner.states) == before
