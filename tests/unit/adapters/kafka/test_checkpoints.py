"""The records of the checkpoint topic, and when they are written."""

from collections.abc import Generator
from pathlib import Path
from unittest.mock import patch

import pytest

from hitl_events.adapters.kafka import checkpoints
from hitl_events.adapters.kafka.checkpoints import (
    PARTITION_MARKS,
    RUN_CHECKPOINTS,
    Checkpointer,
    records_of,
)
from hitl_events.adapters.kafka.records import Outgoing
from hitl_events.adapters.kafka.states import StateFile
from hitl_events.domain.values import RunId
from hitl_events.testing.checks.samples import HUGE_BYTES, Story, noise, together
from tests.unit.adapters.committed import CODEC, IDENTITY, OWNED

RECORD_BYTES_MAX = 1_048_588
"""Of a batch with one record, as the topic takes it."""


@pytest.fixture
def states(tmp_path: Path) -> Generator[StateFile]:
    """A new file that is true for an empty log."""
    found = StateFile.open(tmp_path / "3.state", IDENTITY, CODEC)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def small_rounds() -> Generator[None]:
    """A round every ten events, two runs in a transaction."""
    with patch.multiple(checkpoints, EVENTS_BETWEEN=10, RUNS_MIN=2, RUNS_MAX=2):
        yield


class Writing:
    """Batches with their checkpoints, as the owner writes them."""

    def __init__(self, states: StateFile) -> None:
        self.states = states
        self.checkpointer = Checkpointer(states, OWNED)
        self.end = 0

    def batch(self, *stories: Story, count: int = 1) -> list[Outgoing]:
        """The next events of some runs; what was written beside them."""
        records = self.checkpointer.records()
        batch = together(*stories, count=count)
        self.end += len(batch.events)
        self.states.apply(batch.events, batch.positions, self.end, {"hitl.decisions": self.end})
        self.checkpointer.committed([story.run_id for story in stories], len(batch.events))
        return records

    def rest(self, now_s: float) -> list[str]:
        """A moment without input: the keys of what is written in it."""
        records = self.checkpointer.resting_records(now_s)
        self.checkpointer.committed((), 0)
        return _keys(records)


def _keys(records: list[Outgoing]) -> list[str]:
    return [(record.key or b"").decode() for record in records]


def test_a_partition_is_marked_from_the_first_transaction_on(states: StateFile) -> None:
    """So a changed number of partitions is noticed whenever it happens."""
    (record,) = Writing(states).batch(Story())

    mark = PARTITION_MARKS.decode(record.value or b"")

    assert record.key == b"@3"
    assert record.place == OWNED.checkpoints
    assert mark is not None
    assert (mark.partition, mark.partitions, mark.offset, mark.inputs) == (3, 12, 0, ())


def test_a_round_writes_what_changed_and_then_its_mark(states: StateFile) -> None:
    """Few runs at a time; the mark says where the events ended when the round began."""
    writing, stories = Writing(states), [Story(f"run-{n}") for n in range(5)]
    writing.batch(*stories, count=2)
    late = Story("late")

    written = [_keys(writing.batch(late)) for _ in range(5)]

    assert written == [["run-0", "run-1"], ["run-2", "run-3"], ["run-4", "@3"], [], []]
    assert states.noted is not None
    assert states.noted.marked == 10


def test_a_mark_holds_the_inputs_of_its_beginning(states: StateFile) -> None:
    """Whoever falls back on them reads nothing too late."""
    writing = Writing(states)
    writing.batch(Story(), count=10)

    record = writing.batch(Story("other"))[-1]

    mark = PARTITION_MARKS.decode(record.value or b"")
    assert mark is not None
    assert [(each.topic, each.offset) for each in mark.inputs] == [("hitl.decisions", 10)]


def test_a_run_is_written_as_it_is_by_then(states: StateFile) -> None:
    """Its checkpoint holds also what came after the round began."""
    writing, stories = Writing(states), [Story(f"run-{n}") for n in range(3)]
    writing.batch(*stories, count=4)
    writing.batch(stories[2])

    records = writing.batch(Story("x"))

    found = RUN_CHECKPOINTS.decode(records[0].value or b"")
    assert found is not None
    assert (found.run_id, found.seq) == ("run-2", 5)
    assert found.events == tuple(stories[2].values)


def test_what_changed_since_the_last_mark_is_known_after_a_restart(states: StateFile) -> None:
    """The next owner's first round holds it, and nothing that was written before."""
    writing, stories = Writing(states), [Story(f"run-{n}") for n in range(4)]
    writing.batch(*stories, count=3)
    for _ in range(3):
        writing.batch(stories[0])

    writing.checkpointer = Checkpointer(states, OWNED)

    written = _keys(writing.checkpointer.records())
    assert written == []
    writing.batch(stories[3], count=9)
    assert _keys(writing.checkpointer.records()) == ["run-0", "run-3"]


def test_a_large_run_is_written_in_chunks(states: StateFile) -> None:
    """Each fits into a record, whatever the size of its events; together they are all events."""
    story = Story()
    batches = [story.batch(1, noise(HUGE_BYTES)) for _ in range(2)]
    batches.append(story.batch(3))
    for end, batch in zip((1, 2, 5), batches, strict=True):
        states.apply(batch.events, batch.positions, end, {})
    (kept,) = states.kept([story.run_id])

    records = records_of(kept, OWNED.checkpoints)

    parts = [RUN_CHECKPOINTS.decode(record.value or b"") for record in records]
    assert _keys(records) == [story.run_id, f"{story.run_id}#1", f"{story.run_id}#2"]
    assert [each for part in parts if part for each in part.events] == story.values
    assert [(part.chunk, part.chunks) for part in parts if part] == [(0, 3), (1, 3), (2, 3)]
    assert max(len(record.value or b"") for record in records) < RECORD_BYTES_MAX - 1000


def test_chunks_that_are_there_no_more_get_tombstones(states: StateFile) -> None:
    """Else they would stay in the compacted topic for ever."""
    story = Story()
    batch = story.batch(3)
    states.apply(batch.events, batch.positions, 3, {})
    states.wrote({story.run_id: 3})
    (kept,) = states.kept([story.run_id])

    records = records_of(kept, OWNED.checkpoints)

    assert _keys(records) == [story.run_id, f"{story.run_id}#1", f"{story.run_id}#2"]
    assert [record.value is None for record in records] == [False, True, True]


def test_the_number_of_chunks_is_remembered(states: StateFile) -> None:
    """Of a run that grew: its next checkpoint knows what to take away."""
    with patch.object(checkpoints, "CHUNK_BYTES", 100):
        writing, story = Writing(states), Story()
        writing.batch(story, count=10)
        writing.batch(Story("x"))

    (kept,) = states.kept([story.run_id])
    assert kept.chunks == 10


def test_strays_are_taken_away(states: StateFile) -> None:
    """Runs that the log has lost must not come back from their checkpoints; once is enough."""
    writing = Writing(states)
    writing.checkpointer = Checkpointer(states, OWNED, [RunId("ghost")])

    first, second = writing.batch(Story()), writing.batch(Story("x"))

    assert [(record.key, record.value) for record in first[:1]] == [(b"ghost", None)]
    assert second == []


def test_what_changed_is_written_in_a_moment_without_input(states: StateFile) -> None:
    """Long before enough events came for a round; then there is nothing more to do."""
    writing = Writing(states)
    writing.batch(Story("a"), Story("b"), count=2)

    written = [writing.rest(now_s) for now_s in (1.0, 2.0, 2.0, 100.0)]

    assert written == [[], ["a", "b", "@3"], [], []]
    assert states.noted is not None
    assert states.noted.marked == 4


def test_a_round_that_is_under_way_ends_in_a_moment_without_input(states: StateFile) -> None:
    """A piece at a time, as nothing else takes it on."""
    writing, stories = Writing(states), [Story(f"run-{n}") for n in range(5)]
    writing.batch(*stories, count=2)
    began = _keys(writing.batch(stories[0]))

    with patch.object(checkpoints, "RUNS_RESTING", 2):
        written = [writing.rest(now_s) for now_s in (1.0, 2.0, 2.0)]

    assert began == ["run-0", "run-1"]
    assert written == [[], ["run-2", "run-3"], ["run-4", "@3"]]


def test_between_inputs_in_a_row_a_piece_goes_out_now_and_then(states: StateFile) -> None:
    """Not in each moment of rest: those who decide in a row do not wait for it each time."""
    writing, story = Writing(states), Story("a")
    written: list[tuple[float, list[str]]] = []
    with patch.object(checkpoints, "EVENTS_BETWEEN", 1000):
        for now_s in (1.0, 1.5, 2.0, 2.5, 3.0, 3.5):
            writing.batch(story)
            written.append((now_s, writing.rest(now_s)))

    assert [now_s for now_s, keys in written if keys] == [3.0]


def test_moments_without_input_do_not_make_a_round_each(states: StateFile) -> None:
    """One in so many seconds, however often they come."""
    writing, story = Writing(states), Story("a")
    writing.batch(story)
    first = [writing.rest(now_s) for now_s in (1.0, 2.0)]
    writing.batch(story)

    written = [writing.rest(now_s) for now_s in (2.5, 3.5, 2.0 + checkpoints.RESTING_S)]

    assert first == [[], ["a", "@3"]]
    assert written == [[], [], ["a", "@3"]]


def test_inputs_that_left_no_event_are_marked_too(states: StateFile) -> None:
    """A refused command, say: whoever falls back on the mark does not read it again."""
    writing = Writing(states)
    writing.batch(Story("a"))
    for now_s in (1.0, 2.0):
        writing.rest(now_s)
    states.apply((), (), writing.end, {"hitl.commands": 7})

    records = writing.checkpointer.resting_records(100.0)

    mark = PARTITION_MARKS.decode(records[-1].value or b"")
    assert mark is not None
    assert {each.topic: each.offset for each in mark.inputs}["hitl.commands"] == 7
    assert _keys(records) == ["@3"]


def test_a_new_owner_marks_the_inputs_in_its_first_moment_of_rest(states: StateFile) -> None:
    """How old those are that the last mark holds is in no state file."""
    writing = Writing(states)
    writing.batch(Story("a"))
    for now_s in (1.0, 2.0):
        writing.rest(now_s)

    writing.checkpointer = Checkpointer(states, OWNED)

    assert [writing.rest(now_s) for now_s in (3.0, 4.0, 100.0)] == [[], ["@3"], []]
