"""Reading a place on a real broker: committed only, to an end that is fixed, never for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from aiokafka.conn import AIOKafkaConnection

from hitl_events.adapters.kafka.consuming import Consuming
from hitl_events.adapters.kafka.ends import Ends
from hitl_events.adapters.kafka.reader import Reader
from hitl_events.adapters.kafka.records import Outgoing, Place, Stored
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.tails import Tails
from hitl_events.errors import LogUnavailable, OffsetOutside, UnknownTopic
from tests.integration.kafka_made import event, left_open, made, settings_of, started
from tests.kafka.cluster import Cluster


async def read(settings: KafkaSettings, place: Place, start: int | None = None) -> list[Stored]:
    """All of a place, pieces joined."""
    async with Reader(settings) as reader:
        return [record async for piece in reader.read(place, start) for record in piece]


async def test_records_come_back_as_they_were_written(broker: Cluster, prefix: str) -> None:
    """Key, value, headers, offset and the broker's time; also where key and value are missing."""
    settings = settings_of(broker, prefix)
    topics = await made(settings)
    place = Place(topics.decisions, 1)
    records = [
        Outgoing(place=place, key=b"k", value=b"v", headers=(("a", b"1"), ("a", b"2"))),
        Outgoing(place=place, key=None, value=None),
    ]

    async with started(settings) as writer:
        await writer.transaction(records)
    async with started(settings):  # its start waits for the markers of what was committed before
        found = await read(settings, place)

    assert [(r.offset, r.key, r.value, r.headers) for r in found] == [
        (0, b"k", b"v", (("a", b"1"), ("a", b"2"))),
        (1, None, None, ()),
    ]
    (first, _) = broker.client().read(topics.decisions)
    assert found[0].timestamp_ms == first.timestamp_ms


async def test_reading_ends_although_markers_stand_at_the_end(broker: Cluster, prefix: str) -> None:
    """Markers and aborted records are offsets at which nothing is delivered; it does not wait."""
    settings = settings_of(broker, prefix)
    topics = await made(settings)
    place = Place(topics.events, 0)

    async with started(settings) as writer:
        await writer.transaction([event(topics, "1")])
        await left_open(writer, event(topics, "aborted"))
    async with started(settings) as after:
        await after.transaction([event(topics, "2")])
    async with started(settings) as last:
        await left_open(last, event(topics, "aborted too"))
    async with started(settings):
        found = await read(settings, place)
        only_markers = await read(settings, place, 5)

    assert [(record.offset, record.value) for record in found] == [(0, b"1"), (4, b"2")]
    assert only_markers == []


async def test_what_is_open_is_not_read(broker: Cluster, prefix: str) -> None:
    """The end is the last stable offset, and what comes after the call began is not waited for."""
    settings = settings_of(broker, prefix)
    topics = await made(settings)

    async with Ends(settings) as ends, started(settings) as writer, Reader(settings) as reader:
        await writer.transaction([event(topics, str(number)) for number in range(3_000)])
        await writer.close_dangling(topics.owned(0), ends)  # waits for the markers
        pieces = reader.read(Place(topics.events, 0))
        first = await anext(pieces)
        await left_open(writer, event(topics, "open"))
        rest = [record async for piece in pieces for record in piece]

    assert [r.offset for r in [*first, *rest]] == list(range(3_000))


async def test_an_offset_outside_of_the_log_is_an_error(broker: Cluster, prefix: str) -> None:
    """Reading never goes on from another place than the one asked for."""
    settings = settings_of(broker, prefix)
    topics = await made(settings)
    place = Place(topics.events, 0)
    async with started(settings) as writer:
        await writer.transaction([event(topics, "1")])
    async with started(settings):
        pass

    with pytest.raises(OffsetOutside, match=f"{topics.events}-0") as caught:
        await read(settings, place, 3)

    assert (caught.value.offset, caught.value.first, caught.value.end) == (3, 0, 2)
    assert await read(settings, place, 2) == []


async def test_one_record_at_an_offset(broker: Cluster, prefix: str) -> None:
    """A committed record, or None: for a marker, an aborted one, or beyond either end."""
    settings = settings_of(broker, prefix)
    topics = await made(settings)
    place = Place(topics.events, 0)
    async with started(settings) as writer:
        await writer.transaction([event(topics, "1"), event(topics, "2")])
        await left_open(writer, event(topics, "aborted"))
    async with started(settings) as after:
        await after.transaction([event(topics, "3")])
    async with started(settings), Reader(settings) as reader:
        found = [await reader.at(place, offset) for offset in range(8)]

    values = [None if record is None else record.value for record in found]
    assert values == [b"1", b"2", None, None, None, b"3", None, None]


async def test_the_ends_of_a_place(broker: Cluster, prefix: str) -> None:
    """First, last stable and high offsets differ while a transaction is open."""
    settings = settings_of(broker, prefix)
    topics = await made(settings)
    place, empty = Place(topics.events, 0), Place(topics.events, 1)

    async with Ends(settings) as ends, started(settings) as writer:
        await writer.transaction([event(topics, "1")])
        await writer.close_dangling([place], ends)
        await left_open(writer, event(topics, "open"))

        assert await ends.first([place, empty]) == {place: 0, empty: 0}
        assert await ends.stable([place, empty]) == {place: 2, empty: 0}
        assert await ends.high([place, empty]) == {place: 3, empty: 0}


async def test_a_missing_topic_is_told(broker: Cluster, prefix: str) -> None:
    """It, or the missing partition of it, is named, with the command that makes it."""
    settings = settings_of(broker, prefix)

    with pytest.raises(UnknownTopic, match="hitl topics create"):
        await read(settings, Place(f"{prefix}.events", 0))
    topics = await made(settings)
    with pytest.raises(UnknownTopic, match="partition 7") as caught:
        await read(settings, Place(topics.events, 7))

    assert (caught.value.topic, caught.value.partition) == (topics.events, 7)


@pytest.mark.parametrize("kind", [Reader, Tails])
async def test_who_is_cancelled_amid_connecting_leaves_no_connection(
    broker: Cluster,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    kind: Callable[[KafkaSettings], Consuming],
) -> None:
    """Not the one either of which the client does not know yet, as its first answer is to come."""
    asked = asyncio.Event()
    opened: list[AIOKafkaConnection] = []

    async def never(connection: AIOKafkaConnection, *_: object, **__: object) -> None:
        opened.append(connection)
        asked.set()
        await asyncio.Event().wait()

    answered = AIOKafkaConnection._do_version_lookup

    async def looked_up(connection: AIOKafkaConnection) -> None:
        await answered(connection)  # what is asked after it is the first question
        monkeypatch.setattr(connection, "send", partial(never, connection))

    monkeypatch.setattr(AIOKafkaConnection, "_do_version_lookup", looked_up)
    connecting = asyncio.ensure_future(kind(settings_of(broker, prefix)).__aenter__())
    await asyncio.wait_for(asked.wait(), 10)
    connecting.cancel()
    await asyncio.wait([connecting])

    assert connecting.cancelled()
    assert [each.connected() for each in opened] == [False]


async def test_a_stalled_read_ends(
    broker: Cluster, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing comes for long the error names the place and the offset that it stays at."""
    monkeypatch.setattr("hitl_events.adapters.kafka.reader.STALL_S", 0.0)
    settings = settings_of(broker, prefix)
    topics = await made(settings)
    async with started(settings) as writer:
        await writer.transaction([event(topics, "1")])

    async with started(settings), Reader(settings) as reader:
        monkeypatch.setattr(reader._consumer, "getmany", _nothing)
        with pytest.raises(LogUnavailable, match=f"{topics.events}-0 up to offset 2"):
            await anext(reader.read(Place(topics.events, 0)))


async def _nothing(*_: object, **__: object) -> dict[object, object]:
    return {}
