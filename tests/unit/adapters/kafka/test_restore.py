"""Taking a partition's state up where something is missing, lost or wrong."""

from collections.abc import AsyncGenerator, Generator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest

from hitl_events.adapters.kafka import checkpoints, restore as restoring
from hitl_events.adapters.kafka.checkpoints import PARTITION_MARKS, Owned
from hitl_events.adapters.kafka.records import Outgoing
from hitl_events.adapters.kafka.restore import rebuild, restore
from hitl_events.adapters.kafka.states import StateFile
from hitl_events.errors import CorruptLog, PartitionsChanged
from hitl_events.testing.checks.samples import NOON, Story
from tests.unit.adapters.committed import (
    CODEC,
    IDENTITY,
    OWNED,
    CommittedLog,
    Owner,
    Telling,
    as_record,
    ended_history,
)


@pytest.fixture(autouse=True)
def small_rounds() -> Generator[None]:
    """A round every four events."""
    with patch.multiple(checkpoints, EVENTS_BETWEEN=4, RUNS_MIN=2):
        yield


class World:
    """A log, and an owner that wrote three events each of four runs to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = CommittedLog()
        self.stories = [Story(f"run-{number}") for number in range(4)]
        self.owner = Owner(self.log, path / "first.state")

    async def write(self) -> None:
        """Twelve batches, a transaction each."""
        await self.owner.take_over()
        for _ in range(3):
            for story in self.stories:
                self.tell(story)

    def tell(self, story: Story, *, dies: bool = False) -> None:
        """One event of a run in a transaction of its own."""
        events = story.tell()
        self.owner.commit(events, [story.position()], dies=dies)

    async def values(self, states: StateFile) -> list[tuple[bytes, ...] | None]:
        """What a file holds of each run."""
        found = await states.load([story.run_id for story in self.stories])
        return [found.get(story.run_id) for story in self.stories]

    @property
    def told(self) -> list[tuple[bytes, ...]]:
        """What it should hold."""
        return [tuple(story.values) for story in self.stories]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[World]:
    """All of it."""
    found = World(tmp_path)
    await found.write()
    yield found
    found.owner.die()


async def test_a_level_file_reads_nothing(world: World) -> None:
    """Who died idle begins again at once."""
    found = await world.owner.take_over()

    assert (found.base, found.events_read) == ("file", 0)
    assert found.inputs == {"hitl.decisions": 10 * found.events_end}


async def test_a_file_behind_reads_its_tail(world: World) -> None:
    """What was committed and not yet noted is read from the log."""
    world.tell(world.stories[1], dies=True)

    found = await world.owner.take_over()

    assert (found.base, found.events_read) == ("file", 1)
    assert await world.values(world.owner.states) == world.told


async def test_a_file_far_behind_is_not_worth_its_tail(world: World) -> None:
    """Checkpoints are shorter than all that happened since another machine owned the partition."""
    world.tell(world.stories[1], dies=True)

    with patch.object(restoring, "BEHIND_MAX", 0):
        found = await world.owner.take_over()

    assert found.base == "checkpoints"
    assert await world.values(world.owner.states) == world.told


async def test_without_a_file_the_checkpoints_serve(world: World, other: StateFile) -> None:
    """Only the events after the mark are read, and its inputs are fallen back on."""
    found = await restore(other, world.log, OWNED, CODEC)

    assert found.base == "checkpoints"
    assert 0 < found.events_read < 12
    assert 0 < found.inputs["hitl.decisions"] < 10 * found.events_end
    assert await world.values(other) == world.told


async def test_without_anything_all_events_serve(world: World, other: StateFile) -> None:
    """No checkpoint is needed, no file either."""
    world.log.cut(OWNED.checkpoints, 0)

    found = await restore(other, world.log, OWNED, CODEC)

    assert (found.base, found.events_read, found.inputs) == ("beginning", 12, {})
    assert await world.values(other) == world.told


async def test_a_log_that_lost_its_tail_is_believed(world: World) -> None:
    """A file (and checkpoints) of events that are gone must not bring them back."""
    end = world.log.records[OWNED.events][-3].offset
    world.log.cut(OWNED.events, end)
    kept = [record.value for record in world.log.records[OWNED.events]]

    await world.owner.take_over()

    expected = [tuple(v for v in story.values if v in kept) for story in world.stories]
    assert await world.values(world.owner.states) == expected


async def test_a_log_that_was_written_anew_is_believed(world: World) -> None:
    """Other events at the offsets of a file that knew the old ones: none of those comes back."""
    world.log.cut(OWNED.events, 0)
    story = Story("new")
    for _ in range(30):
        world.log.commit(map(as_record, story.tell()))

    found = await world.owner.take_over()

    assert found.base == "beginning"
    assert {*found.strays} <= {each.run_id for each in world.stories}
    assert await world.values(world.owner.states) == [None] * 4
    assert await world.owner.states.load([story.run_id]) == {story.run_id: tuple(story.values)}


async def test_lost_runs_do_not_come_back_from_checkpoints(world: World) -> None:
    """Their checkpoints are taken away before new events reach their offsets."""
    ghost = Story("ghost")
    for _ in range(9):
        world.tell(ghost)
    first = world.log.records[OWNED.events][12].offset
    world.log.cut(OWNED.events, first)

    found = await world.owner.take_over()
    for _ in range(9):
        world.tell(world.stories[0])

    assert found.strays == (ghost.run_id,)
    new = StateFile.open(world.path / "new.state", IDENTITY, CODEC)
    assert (await restore(new, world.log, OWNED, CODEC)).base == "checkpoints"
    assert await new.load([ghost.run_id]) == {}
    new.close()


async def test_another_number_of_partitions_stops_everything(
    world: World, other: StateFile
) -> None:
    """Runs would be looked for where their events are not."""
    more = Owned(topics=OWNED.topics, partition=3, partitions=24)

    with pytest.raises(PartitionsChanged, match=r"'hitl\.events' with 12 partitions.* found 24"):
        await restore(other, world.log, more, CODEC)


async def test_damaged_checkpoints_cost_time_only(world: World, other: StateFile) -> None:
    """Cut records and those of a later release: the events tell the same."""
    records = world.log.records[OWNED.checkpoints]
    for number, value in ((0, b"no record"), (2, (records[2].value or b"")[:-3])):
        records[number] = replace(records[number], value=value)

    found = await restore(other, world.log, OWNED, CODEC)

    assert found.base == "beginning"
    assert await world.values(other) == world.told


async def test_checkpoints_that_contradict_the_events_are_left_aside(
    world: World, other: StateFile
) -> None:
    """A head that the log does not have proves nothing about the log."""
    records = world.log.records[OWNED.checkpoints]
    for number, record in enumerate(records):
        found = checkpoints.RUN_CHECKPOINTS.decode(record.value or b"")
        if found is not None:
            wrong = replace(found, head=bytes(32))
            records[number] = replace(record, value=checkpoints.RUN_CHECKPOINTS.encode(wrong))

    restored = await restore(other, world.log, OWNED, CODEC)

    assert restored.base == "beginning"
    assert await world.values(other) == world.told


async def test_an_unfinished_chunk_leaves_checkpoints_aside(world: World, other: StateFile) -> None:
    """A run of which a part is missing is read from its events."""
    with patch.object(checkpoints, "CHUNK_BYTES", 100):
        for _ in range(9):
            world.tell(world.stories[0])
    records = world.log.records[OWNED.checkpoints]
    last = max(n for n, record in enumerate(records) if b"#" in (record.key or b""))
    del records[last]

    found = await restore(other, world.log, OWNED, CODEC)

    assert found.base == "beginning"
    assert await world.values(other) == world.told


async def test_what_may_be_forgotten_is_known_from_checkpoints(
    world: World, other: StateFile
) -> None:
    """A mark that came from the topic is shortened in time like one that was made here."""
    telling = Telling("over", ended_history(Random(3), refused=True))
    world.owner.commit(telling.tell(1000), [telling.position()])
    for _ in range(12):
        world.tell(world.stories[0])

    await restore(other, world.log, OWNED, CODEC)

    (kept,) = other.kept([telling.run_id])
    far = NOON + timedelta(days=9999)
    assert [other.sweep(far, 10), other.sweep(far, 10)] == [[telling.run_id], []]
    (short,) = other.kept([telling.run_id])
    assert len(short.mark or b"") < len(kept.mark or b"")


async def test_an_unreadable_event_names_its_place(world: World, other: StateFile) -> None:
    """Partition and offset, so that somebody can look at it."""
    records = world.log.records[OWNED.events]
    records[7] = replace(records[7], value=b"no event")
    place = rf"hitl\.events-3, offset {records[7].offset}"

    with pytest.raises(CorruptLog, match=place):
        await rebuild(other, world.log, OWNED, CODEC)


async def test_a_broken_chain_names_its_place(world: World, other: StateFile) -> None:
    """An event that does not follow its predecessor, after all else was tried."""
    records = world.log.records[OWNED.events]
    gone = records.pop(5)
    place = rf"hitl\.events-3, offset {records[8].offset}, run 'run-1', event 3"

    with pytest.raises(CorruptLog, match=place):
        await rebuild(other, world.log, OWNED, CODEC)
    assert gone.key == b"run-1"


async def test_a_tombstone_among_the_events_is_corruption(world: World, other: StateFile) -> None:
    """Nobody but an owner writes there, and owners write events."""
    world.log.commit([Outgoing(place=OWNED.events, key=b"run-1", value=None)])

    with pytest.raises(CorruptLog, match="no value"):
        await restore(other, world.log, OWNED, CODEC)


async def test_an_empty_partition_is_ready_at_once(tmp_path: Path) -> None:
    """Nothing is there, and that is what the file says."""
    owner = Owner(CommittedLog(), tmp_path / "new.state")

    found = await owner.take_over()

    assert (found.events_end, found.events_read) == (0, 0)
    assert owner.states.noted is not None
    owner.die()


async def test_every_mark_names_the_partition_count(world: World) -> None:
    """As it was when it was written."""
    marks = [
        PARTITION_MARKS.decode(record.value or b"")
        for record in world.log.records[OWNED.checkpoints]
        if record.key == b"@3"
    ]

    assert len(marks) > 1
    assert {mark and mark.partitions for mark in marks} == {12}
