"""The state file of a partition: kept, thrown away, shortened."""

import sqlite3
import stat
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from hitl_events.adapters.kafka.states import StateFile
from hitl_events.domain.values import RunId
from hitl_events.errors import ImpossibleHistory, InvalidInput, LogUnavailable, StateLost
from hitl_events.testing.checks.samples import NOON, Story, many, together
from tests.unit.adapters.committed import CODEC, IDENTITY, Telling, ended_history


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where no file is yet."""
    return tmp_path / "state" / "3.state"


@pytest.fixture
def states(path: Path) -> Generator[StateFile]:
    """A new file."""
    found = StateFile.open(path, IDENTITY, CODEC)
    yield found
    found.close()


def _fill(states: StateFile) -> Story:
    story = Story()
    batch = story.batch(3)
    states.apply(batch.events, batch.positions, 3, {"hitl.decisions": 7})
    return story


async def test_what_was_applied_is_there_after_a_restart(path: Path, states: StateFile) -> None:
    """Events, position, offsets and inputs of a batch outlive the process."""
    story = _fill(states)
    noted = states.noted
    states.close()

    found = StateFile.open(path, IDENTITY, CODEC)

    assert found.noted == noted
    assert found.noted is not None
    assert (found.noted.events_end, found.noted.last_digest) == (3, story.head)
    assert found.noted.inputs == {"hitl.decisions": 7}
    assert await found.load([story.run_id]) == {story.run_id: tuple(story.values)}
    found.close()


def test_a_write_that_fails_names_the_state(states: StateFile) -> None:
    """Its folder is full or gone: the log and the data directory are elsewhere."""
    states._file.rows("PRAGMA query_only = ON")

    with pytest.raises(LogUnavailable, match=r"the state /.*3\.state, .*HITL_STATE_DIR") as told:
        _fill(states)

    assert "HITL_DATA" not in str(told.value)


def test_a_new_file_is_true_for_nothing(states: StateFile) -> None:
    """Who opens it must fill it first."""
    assert states.noted is None


def test_only_the_owner_reads_the_file(path: Path, states: StateFile) -> None:
    """Inputs and drafts are in it: nobody else on the machine gets at them."""
    _fill(states)

    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("identity", ["other|hitl|3|12", "cluster|hitl|3|6"])
def test_a_file_of_another_place_is_begun_anew(
    path: Path, states: StateFile, identity: str
) -> None:
    """Another cluster, prefix, partition or count: what stands in it is of no use."""
    _fill(states)
    states.close()

    found = StateFile.open(path, identity, CODEC)

    assert found.noted is None
    assert found.count() == 0
    found.close()


def _another_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def _no_database(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _without_tables(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE meta")
    connection.close()


@pytest.mark.parametrize("spoil", [_another_version, _no_database, _torn, _empty, _without_tables])
def test_a_useless_file_is_begun_anew(
    path: Path, states: StateFile, spoil: Callable[[Path], None]
) -> None:
    """Another version, damage, a stranger's file: never an error, as the log has it all."""
    _fill(states)
    states.close()
    spoil(path)

    found = StateFile.open(path, IDENTITY, CODEC)

    assert found.noted is None
    found.close()


async def test_damage_under_way_throws_the_file_away(path: Path, states: StateFile) -> None:
    """It is an error that makes the partition be taken over again, not a corrupt log."""
    story = _fill(states)
    states.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE events SET data = x'00'")
    connection.close()
    found = StateFile.open(path, IDENTITY, CODEC)

    with pytest.raises(StateLost, match="thrown away"):
        await found.load([story.run_id])

    again = StateFile.open(path, IDENTITY, CODEC)
    assert again.noted is None
    again.close()


def test_a_file_in_use_is_refused(path: Path, states: StateFile) -> None:
    """Two processes with one state directory would write over each other."""
    _fill(states)

    with pytest.raises(LogUnavailable, match="another process"):
        StateFile.open(path, IDENTITY, CODEC)


def test_a_batch_that_does_not_go_on_changes_nothing(states: StateFile) -> None:
    """A batch that is applied twice is refused as a whole."""
    stories = many(3)
    batch = together(*stories)
    states.apply(batch.events, batch.positions, 3, {})
    noted = states.noted

    with pytest.raises(ImpossibleHistory):
        states.apply(batch.events, batch.positions, 7, {})
    with pytest.raises(InvalidInput):
        states.apply(stories[0].tell(), [], 8, {})

    assert states.noted == noted
    assert [held.seq for held in states.held(s.run_id for s in stories).values()] == [1, 1, 1]


async def test_an_ended_run_is_kept_as_its_mark(states: StateFile) -> None:
    """Its events go, its mark says where they stand in the log."""
    telling = Telling("run-1", ended_history(Random(1), refused=False))
    first = telling.tell(1)
    states.apply(first, [telling.position()], 10, {})
    rest = telling.tell(1000)
    states.apply(rest, [telling.position()], 100, {})

    (value,) = (await states.load([telling.run_id]))[telling.run_id]

    mark = CODEC.decode_mark(value)
    assert mark is not None
    assert (mark.first_offset, mark.last_offset) == (9, 99)
    assert mark.head == telling.position().head
    (kept,) = states.kept([telling.run_id])
    assert kept.values == ()


async def test_what_refused_decisions_leave_is_forgotten_in_time(states: StateFile) -> None:
    """After the time that is kept they go from the mark, in bounded steps, and only once."""
    telling = Telling("run-1", ended_history(Random(3), refused=True))
    events = telling.tell(1000)
    states.apply(events, [telling.position()], len(events), {})
    (kept,) = states.kept([telling.run_id])
    over = events[-1].event.recorded_at

    assert states.sweep(over, 10) == []
    assert states.sweep(over + timedelta(seconds=1), 10) == [telling.run_id]
    assert states.sweep(over + timedelta(days=99), 10) == []

    (short,) = states.kept([telling.run_id])
    assert len(short.mark or b"") < len(kept.mark or b"")
    mark = CODEC.decode_mark(short.mark or b"")
    assert mark is not None
    assert {made.reason for made in mark.decisions} <= {None}


def test_positions_alone_move_no_offset(states: StateFile) -> None:
    """A timer that is moved is written, the file stays true for the same events."""
    story = _fill(states)
    noted = states.noted
    assert noted is not None

    states.apply([], [story.position("paused", NOON)], noted.events_end, {"hitl.commands": 2})

    assert states.noted == replace(noted, inputs={"hitl.decisions": 7, "hitl.commands": 2})
    (kept,) = states.kept([story.run_id])
    assert (kept.position.due, kept.last, len(kept.values)) == (NOON, 2, 3)


async def test_a_cleared_file_is_empty_and_usable(states: StateFile) -> None:
    """What restore begins anew holds nothing of before."""
    _fill(states)
    states.clear()

    assert states.noted is None
    assert await states.load([Story().run_id]) == {}
    _fill(states)
    assert states.held([RunId("none")]) == {}
