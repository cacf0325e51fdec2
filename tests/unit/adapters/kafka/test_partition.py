"""One transaction to a batch: what its offsets tell of others who write where they must not."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from hitl_events.adapters.kafka.intake import FedIntake
from hitl_events.adapters.kafka.outgoing import Outbox, Places
from hitl_events.adapters.kafka.partition import KafkaPartition, Kept
from hitl_events.adapters.kafka.records import Outgoing, Place
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.adapters.kafka.writer import Consumed
from hitl_events.domain.events import RunCompleted
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId
from hitl_events.errors import CorruptLog
from hitl_events.ports import Appended, EffectBatch

TOPICS = Topics("t")
KEYS = TokenKeys([b"k" * 32])


class Writer:
    """Its records land where the test says."""

    def __init__(self, *landings: tuple[int, ...]) -> None:
        self._landings = list(landings)
        self.consumed: list[Consumed | None] = []

    async def transaction(
        self, records: Sequence[Outgoing], consumed: Consumed | None = None
    ) -> Sequence[int]:
        self.consumed.append(consumed)
        return self._landings.pop(0)


class States:
    """Notes up to where it is true."""

    def __init__(self) -> None:
        self.ends: list[int] = []
        self.resting: list[Outgoing] = []
        self.written = 0

    def apply(
        self, events: Any, positions: Any, events_end: int, inputs: Mapping[str, int]
    ) -> None:
        self.ends.append(events_end)

    def records(self) -> Sequence[Outgoing]:
        return ()

    def resting_records(self, now_s: float) -> Sequence[Outgoing]:
        found, self.resting = self.resting, []
        return found

    def committed(self, run_ids: Iterable[RunId], events: int) -> None:
        self.written += 1


class Searching:
    """Finds a record of somebody else, or nothing; notes where it was to look."""

    def __init__(self, *, finds: bool) -> None:
        self.looked: list[tuple[int, tuple[int, ...]]] = []
        self._finds = finds

    async def __call__(self, start: int, own: Sequence[int]) -> None:
        self.looked.append((start, tuple(own)))
        if self._finds:
            raise CorruptLog("t.events-0, offset 7", "no event")


def partition(
    log_end: int,
    search: Searching,
    *landings: tuple[int, ...],
    writer: Writer | None = None,
    fed: Mapping[str, int] | None = None,
) -> tuple[KafkaPartition, States]:
    states: Any = States()
    places = Places(topics=TOPICS, partition=0, replies=1, dead_letters=1)
    kept = Kept(
        local=states, checkpoints=states, events_end=log_end, log_end=log_end, search=search
    )

    async def ends() -> dict[str, tuple[int, int]]:
        return {}

    async def fed_to() -> Mapping[str, int] | None:
        return fed

    intake = FedIntake(TOPICS, KEYS, ends, fed_to)
    intake.begin({TOPICS.decisions: 5, TOPICS.commands: 0})
    outbox = Outbox(places, KEYS)
    made = KafkaPartition("g", writer or Writer(*landings), kept, intake, outbox, lambda due: due)
    return made, states


def batch(events: int) -> EffectBatch:
    made = EffectBatch()
    event = RunCompleted(run_id=RunId("r"), seq=4, result=b"1")
    made.events.extend(Appended(event=event, value=b"v") for _ in range(events))
    return made


async def test_events_stand_behind_the_marker_of_the_batch_before() -> None:
    """The states note where they end; a batch without events moves nothing."""
    search = Searching(finds=True)
    made, states = partition(7, search, (7, 8), (), (10,))

    for events in (2, 0, 1):
        await made.append(batch(events))

    assert (states.ends, search.looked) == ([9, 9, 11], [])


@pytest.mark.parametrize("landed", [(8, 9), (7, 9)])
async def test_who_else_writes_there_is_found_out(landed: tuple[int, ...]) -> None:
    """Before or between our events: the states stay behind, so that it is found again."""
    search = Searching(finds=True)
    made, states = partition(7, search, landed)

    with pytest.raises(CorruptLog):
        await made.append(batch(2))

    assert (states.ends, search.looked) == ([], [(7, landed)])


async def test_a_gap_without_a_record_is_none() -> None:
    """A marker more, say: it goes on, and is not looked at again."""
    search = Searching(finds=False)
    made, states = partition(7, search, (9, 10), (12,))

    for events in (2, 1):
        await made.append(batch(events))

    assert (states.ends, search.looked) == ([11, 13], [(7, (9, 10))])


async def test_what_is_written_at_rest_settles_no_input_and_moves_no_events() -> None:
    """A transaction of checkpoints alone, and none where there are none."""
    writer = Writer((40,))
    made, states = partition(7, Searching(finds=True), writer=writer)
    states.resting = [Outgoing(place=Place("t.checkpoints", 0), key=b"@0", value=b"m")]

    did = [await made.rest(1.0), await made.rest(1.0)]

    assert (did, writer.consumed, states.written, states.ends) == ([True, False], [None], 1, [])


async def test_markers_at_the_end_of_an_input_are_passed_at_rest() -> None:
    """Once: else the offset stays where the topic forgets in time, and no engine would start."""
    writer = Writer((), (), ())
    fed = {TOPICS.decisions: 6, TOPICS.commands: 0}
    made, states = partition(7, Searching(finds=True), writer=writer, fed=fed)

    did = [await made.rest(1.0), await made.rest(1.0)]

    passed = Consumed(group="g", offsets={Place(TOPICS.decisions, 0): 6})
    assert (did, writer.consumed, states.ends) == ([True, False], [passed], [7])
