"""Records that wait for their writers' schemas: order, bounds, and what a timer may believe."""

import asyncio
import json

import pytest

from hitl_events.adapters.inbound import WriterSchemas
from hitl_events.adapters.inbound.confluent import ABSENT_S
from hitl_events.adapters.kafka import lane as module
from hitl_events.adapters.kafka.intake import FedIntake
from hitl_events.adapters.kafka.lane import Lane
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.domain.token import TokenKeys
from hitl_events.errors import RegistryUnavailable

TOPICS = Topics("t")
SCHEMA = json.dumps(
    {"type": "record", "name": "R", "fields": [{"name": "token", "type": "string"}]}
)


class Shelf:
    """A registry that gives no answer while it is away, and knows the ids up to 9."""

    def __init__(self) -> None:
        self.away = True
        self.asked = 0
        self.was_asked = asyncio.Event()

    async def schema(self, schema_id: int) -> str | None:
        self.asked += 1
        self.was_asked.set()
        if self.away:
            raise RegistryUnavailable("expected an answer, found none")
        return SCHEMA if schema_id < 10 else None


class World:
    """An intake whose decisions may wait, and what was told of that."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.told: list[str] = []
        self.news = asyncio.Event()
        self.now_s = 0.0
        self.schemas = WriterSchemas(self.shelf, lambda: self.now_s)
        self.lane = Lane(self.schemas, self._tell)
        lanes = {TOPICS.decisions: self.lane}
        self.intake = FedIntake(TOPICS, TokenKeys([b"k" * 32]), self._ends, self._fed, lanes)

    async def _ends(self) -> dict[str, tuple[int, int]]:
        return {}

    async def _fed(self) -> None:
        return None

    def _tell(self, error: RegistryUnavailable | None) -> None:
        self.told.append("goes on" if error is None else "waits")
        self.news.set()

    def feed(self, offset: int, value: bytes, topic: str = TOPICS.decisions) -> None:
        """One record."""
        place = Place(topic, 3)
        stored = Stored(place=place, offset=offset, timestamp_ms=1, key=None, value=value)
        self.intake.feed([stored])

    def taken(self) -> list[tuple[str, int]]:
        """What can be taken now: kind and offset."""
        return [(each.kind, each.source.offset) for each in self.intake.take(10)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long."""
    monkeypatch.setattr(module, "TELL_S", 0.01)
    monkeypatch.setattr(module, "HOLD_S", 0.05)


async def test_what_comes_after_a_record_that_waits_waits_too() -> None:
    """The other topic goes on; then all come out in their order, and nothing was settled."""
    world = World()
    world.feed(1, b"{}")
    world.feed(2, b"\0\0\0\0\x01\0")
    world.feed(3, b"{}")
    world.feed(7, b"{}", TOPICS.commands)
    assert world.taken() == [("decision", 1), ("command", 7)]
    assert world.intake.offsets_after([1]) == {TOPICS.decisions: 2}

    world.shelf.away = False
    world.intake.admit(await world.lane.known())

    assert world.taken() == [("decision", 2), ("decision", 3)]
    assert world.told == []


async def test_no_timer_fires_past_records_that_wait() -> None:
    """One of them may be a decision that came in time."""
    world = World()
    world.feed(2, b"\0\0\0\0\x01\0")
    assert not await world.intake.caught_up()

    world.shelf.away = False
    world.intake.admit(await world.lane.known())

    assert await world.intake.caught_up()


async def test_that_records_wait_is_told_and_that_they_go_on() -> None:
    """Once each, where the registry is away for longer than a moment."""
    world = World()
    world.feed(2, b"\0\0\0\0\x01\0")
    waiting = asyncio.create_task(world.lane.known())
    await world.news.wait()

    world.shelf.away = False
    await waiting

    assert world.told == ["waits", "goes on"]


async def test_a_registry_that_stays_away_is_an_error() -> None:
    """After the bound; what waits still waits, for whoever has the partition next."""
    world = World()
    world.feed(2, b"\0\0\0\0\x01\0")

    with pytest.raises(RegistryUnavailable):
        await world.lane.known()

    assert (world.lane.is_held, world.taken()) == (True, [])


async def test_what_can_be_read_comes_before_what_can_not() -> None:
    """A record with another id that comes meanwhile is asked for by itself."""
    world = World()
    world.shelf.away = False
    world.feed(2, b"\0\0\0\0\x01\0")
    waiting = asyncio.create_task(world.lane.known())
    await world.shelf.was_asked.wait()
    world.feed(3, b"{}")
    world.feed(4, b"\0\0\0\0\x0b\0")

    first, second = await waiting, await world.lane.known()

    assert [[each.source.offset for each in some] for some in (first, second)] == [[2, 3], [4]]
    assert not world.lane.is_held


async def test_an_id_that_is_known_is_not_asked_for_again() -> None:
    """Nor one without a schema, for some seconds."""
    world = World()
    world.shelf.away = False
    for offset, value in enumerate((b"\0\0\0\0\x01\0", b"\0\0\0\0\x0b\0")):
        world.feed(offset, value)
    world.intake.admit(await world.lane.known())

    world.feed(2, b"\0\0\0\0\x01\0")
    world.feed(3, b"\0\0\0\0\x0b\0")
    assert (len(world.taken()), world.shelf.asked) == (4, 2)
    world.now_s += ABSENT_S
    world.feed(4, b"\0\0\0\0\x0b\0")

    assert world.lane.is_held
