"""The writer of a partition on a real broker: whole transactions, fencing, unknown ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from hitl_events.adapters.kafka.ends import Ends
from hitl_events.adapters.kafka.records import Outgoing, Place
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.topics import DEAD_LETTER_BYTES_MAX, Topics
from hitl_events.adapters.kafka.writer import Consumed, TransactionalWriter
from hitl_events.errors import CorruptLog, Fenced, LogUnavailable, OutcomeUnknown, RecordTooLarge
from tests.integration.kafka_made import (
    acknowledged_elsewhere,
    committed,
    event,
    frozen,
    killed,
    left_open,
    made,
    settings_of,
    started,
    unverified,
)
from tests.kafka.client import publish
from tests.kafka.cluster import Cluster
from tests.kafka.records import Outgoing as Inbound

SOON_S = 2.0
"""A bound for the tests that wait for one to run out."""
STOPPED_S_MAX = 8.0
TAKEOVERS_MAX = 6


def values(cluster: Cluster, topic: str) -> list[bytes | None]:
    """What an independent client reads, committed only."""
    return [record.value for record in cluster.client().read(topic)]


async def test_a_transaction_is_written_as_a_whole(broker: Cluster, prefix: str) -> None:
    """Records of all topics, keyless ones and empty ones, stand where the offsets say."""
    settings = settings_of(broker, prefix)
    topics = await made(settings)
    dead = Place(topics.dead_letters, 1)
    records = [
        event(topics, "1"),
        Outgoing(place=dead, key=None, value=None, headers=(("hitl-dlq-reason", b"unreadable"),)),
        event(topics, "2"),
    ]

    async with started(settings) as writer:
        first = await writer.transaction(records)
        second = await writer.transaction([event(topics, "3")])

    assert (first, second) == ((0, 0, 1), (3,))  # 2 is the marker of the first
    assert values(broker, topics.events) == [b"1", b"2", b"3"]
    (letter,) = broker.client().read(topics.dead_letters)
    assert (letter.partition, letter.key, letter.value) == (1, None, None)
    assert letter.headers == (("hitl-dlq-reason", b"unreadable"),)


async def test_order_is_kept_across_full_batches(broker: Cluster, prefix: str) -> None:
    """Some MB for one place go in several batches, in order, each offset its own."""
    settings = settings_of(broker, prefix)
    topics = await made(settings)
    texts = [f"{number:05}" + "x" * 2_000 for number in range(3_000)]

    async with started(settings) as writer:
        offsets = await writer.transaction([event(topics, text) for text in texts])

    assert offsets == tuple(range(3_000))
    assert values(broker, topics.events) == [text.encode() for text in texts]


async def test_the_largest_records_fit(broker: Cluster, prefix: str) -> None:
    """An event of 900 KiB, and a dead letter of all that an inbound topic takes."""
    settings = settings_of(broker, prefix)
    topics = await made(settings)
    largest = b"x" * (900 * 1024)
    full = Inbound(topic=topics.decisions, value=b"y" * 1_048_000)
    with broker.client().producer(message_max_bytes=2_000_000) as producer:
        (inbound,) = publish(producer, [full])

    async with started(settings) as writer:
        events = [Outgoing(place=Place(topics.events, 0), key=b"k" * 64, value=largest)] * 2
        letter = Outgoing(
            place=Place(topics.dead_letters, 0),
            key=None,
            value=inbound.value,
            headers=tuple((f"hitl-dlq-{number}", b"z" * 200) for number in range(7)),
        )
        await writer.transaction([*events, letter])

    assert values(broker, topics.events) == [largest, largest]
    assert values(broker, topics.dead_letters) == [inbound.value]


async def test_what_is_too_large_is_told_before_it_is_sent(broker: Cluster, prefix: str) -> None:
    """The writer is none the worse for it."""
    settings = settings_of(broker, prefix)
    topics = await made(settings)
    huge = Outgoing(place=Place(topics.events, 0), key=b"", value=b"x" * DEAD_LETTER_BYTES_MAX)

    async with started(settings) as writer:
        with pytest.raises(RecordTooLarge, match="bytes"):
            await writer.transaction([event(topics, "1"), huge])
        await writer.transaction([event(topics, "2")])

    assert values(broker, topics.events) == [b"2"]


async def test_a_partial_transaction_never_commits(broker: Cluster, prefix: str) -> None:
    """One record that its topic refuses, and nothing of the transaction is to be seen."""
    settings = settings_of(broker, prefix)
    topics = await made(settings)
    refused = Outgoing(place=Place(topics.replies, 0), key=b"", value=b"x" * 1_500_000)

    async with started(settings) as writer:
        with pytest.raises(RecordTooLarge):
            await writer.transaction([event(topics, "1"), refused, event(topics, "2")])
        assert not writer.usable
        with pytest.raises(LogUnavailable, match="fresh writer"):
            await writer.transaction([event(topics, "3")])
    async with started(settings) as after:
        await after.transaction([event(topics, "4")])

    assert values(broker, topics.events) == [b"4"]


async def test_the_offsets_are_settled_with_the_records(broker: Cluster, prefix: str) -> None:
    """Input offsets and records are committed together, or neither."""
    settings = settings_of(broker, prefix)
    topics = await made(settings)
    place = Place(topics.decisions, 0)
    refused = Outgoing(place=Place(topics.replies, 0), key=b"", value=b"x" * 1_500_000)

    async with started(settings) as writer:
        await writer.transaction(
            [event(topics, "1")], Consumed(group=settings.group, offsets={place: 7})
        )
        with pytest.raises(RecordTooLarge):
            await writer.transaction([refused], Consumed(group=settings.group, offsets={place: 9}))
    async with started(settings) as after:
        await after.transaction([], Consumed(group=settings.group, offsets={}))

    assert committed(broker, settings.group, place) == 7


async def test_a_second_writer_fences_the_first(broker: Cluster, prefix: str) -> None:
    """Nothing of the first lands after the second has started, and it knows why."""
    settings = settings_of(broker, prefix)
    topics = await made(settings)

    async with started(settings) as first:
        await first.transaction([event(topics, "1")])
        async with started(settings) as second:
            with pytest.raises(Fenced, match=f"{topics.events}.0"):
                await first.transaction([event(topics, "2"), event(topics, "3", 1)])
            assert first.fenced
            assert not first.usable
            with pytest.raises(Fenced, match="join the group again"):
                await first.transaction([event(topics, "4")])
            await second.transaction([event(topics, "5")])

    assert values(broker, topics.events) == [b"1", b"5"]


async def test_a_new_writer_ends_the_transaction_of_the_dead_one(
    broker: Cluster, prefix: str
) -> None:
    """When `start()` returns, what was open is decided: no reader is held back."""
    settings = settings_of(broker, prefix)
    topics = await made(settings)
    place = Place(topics.events, 0)

    async with Ends(settings) as ends, started(settings) as dead:
        await left_open(dead, event(topics, "1"))
        assert (await ends.stable([place]), await ends.high([place])) == ({place: 0}, {place: 1})
        async with started(settings):
            stable, high = await ends.stable([place]), await ends.high([place])

    assert stable == high == {place: 2}
    assert values(broker, topics.events) == []


async def test_a_dangling_transaction_is_closed(broker: Cluster, prefix: str) -> None:
    """One that the coordinator does not know ends as aborted before anything is read."""
    if not broker.is_ours:
        pytest.skip("the named cluster is not ours to configure")
    settings = settings_of(broker, prefix)
    topics = await made(settings)
    place = Place(topics.events, 0)

    async with Ends(settings) as ends:
        async with unverified(settings), started(settings) as dead:
            await left_open(dead, event(topics, "1"), unknown_to_coordinator=True)
        async with started(settings) as writer:
            assert (await ends.stable([place]))[place] < (await ends.high([place]))[place]
            rounds = await writer.close_dangling(topics.owned(0), ends)
            await writer.transaction([event(topics, "2")])
            again = await writer.close_dangling(topics.owned(0), ends)

    assert (rounds, again) == (1, 0)
    assert values(broker, topics.events) == [b"2"]


async def test_a_commit_without_its_markers_stays_a_commit(broker: Cluster, prefix: str) -> None:
    """What was acknowledged is not aborted, though a killed broker forgot to write its markers."""
    if not broker.is_ours:
        pytest.skip("the named cluster is not ours to configure")
    settings = settings_of(broker, prefix)
    topics = await made(settings)

    async with Ends(settings) as ends:
        async with unverified(settings), started(settings) as dead:
            await left_open(dead, event(topics, "1"), unknown_to_coordinator=True)
            await acknowledged_elsewhere(dead, event(topics, "2", 1))
        async with started(settings) as writer:
            assert await writer.close_dangling([*topics.owned(0), *topics.owned(1)], ends) == 1
            await writer.transaction([event(topics, "3")])

    assert sorted(values(broker, topics.events), key=str) == [b"1", b"2", b"3"]


async def test_what_another_holds_open_is_not_ours_to_close(broker: Cluster, prefix: str) -> None:
    """In a place of ours it is an error that names the place, in a shared one it is left."""
    settings = settings_of(broker, prefix)
    topics = await made(settings)
    place = Place(topics.events, 0)

    async with Ends(settings) as ends, started(settings, 1) as other, started(settings) as writer:
        await left_open(other, event(topics, "1"))
        assert await writer.close_dangling([], ends, shared=[place]) == 1
        with pytest.raises(CorruptLog, match=f"{topics.events}-0"):
            await writer.close_dangling([place], ends)


async def test_a_slow_commit_is_the_last_of_its_writer(
    broker: Cluster, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was written, but the writer must not be used again: a late second try may come."""
    monkeypatch.setattr("hitl_events.adapters.kafka.writer.COMMIT_SLOW_S", 0.0)
    settings = settings_of(broker, prefix)
    topics = await made(settings)

    async with started(settings) as writer:
        assert await writer.transaction([event(topics, "1")]) == (0,)
        assert not writer.usable
        assert not writer.fenced

    assert values(broker, topics.events) == [b"1"]


async def test_a_frozen_broker_is_an_unknown_end_in_bounded_time(
    broker: Cluster, prefix: str
) -> None:
    """SIGSTOP while transactions run: an error in time, a bounded stop, nothing torn."""
    settings = settings_of(broker, prefix)
    with frozen(broker) as freeze:
        topics = await made(settings)
        async with started(settings, within_s=SOON_S) as writer:
            acknowledged = await _until_it_fails(writer, topics, freeze)
            begun_s = time.monotonic()
        assert time.monotonic() - begun_s < STOPPED_S_MAX

    await _nothing_is_torn(broker, settings, acknowledged)


async def test_a_killed_broker_is_an_unknown_end_in_bounded_time(
    broker: Cluster, prefix: str
) -> None:
    """SIGKILL while transactions run: an error in time; what was acknowledged is there."""
    settings = settings_of(broker, prefix)
    with killed(broker) as kill:
        topics = await made(settings)
        async with started(settings, within_s=SOON_S) as writer:
            acknowledged = await _until_it_fails(writer, topics, kill)
            begun_s = time.monotonic()
        assert time.monotonic() - begun_s < STOPPED_S_MAX

    await _nothing_is_torn(broker, settings, acknowledged)


async def test_no_task_is_left(broker: Cluster, prefix: str) -> None:
    """A writer that was used, one that was fenced and one that never started leave nothing."""
    settings = settings_of(broker, prefix)
    topics = await made(settings)
    before = asyncio.all_tasks()

    async with started(settings) as first, started(settings):
        with pytest.raises(Fenced):
            await first.transaction([event(topics, "1")])
    nowhere = KafkaSettings(bootstrap=("127.0.0.1:1",), prefix=prefix)
    with pytest.raises(LogUnavailable, match="HITL_KAFKA_BOOTSTRAP"):
        await TransactionalWriter(nowhere, "x").start()

    assert asyncio.all_tasks() == before


async def _until_it_fails(
    writer: TransactionalWriter, topics: Topics, harm: Callable[[], None]
) -> int:
    """Transactions of two records, harm after the third; how many were acknowledged."""
    acknowledged = 0
    begun_s = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        while True:
            begun_s = time.monotonic()
            text = str(acknowledged)
            await writer.transaction([event(topics, text), event(topics, text, 1)])
            acknowledged += 1
            if acknowledged == 3:
                harm()
    assert time.monotonic() - begun_s < SOON_S + 1
    assert not writer.usable
    return acknowledged


async def _nothing_is_torn(broker: Cluster, settings: KafkaSettings, acknowledged: int) -> None:
    """After a new writer: all that was acknowledged, the last one whole or not at all."""
    topics = Topics(settings.prefix)
    for left in reversed(range(TAKEOVERS_MAX)):
        try:
            async with started(settings) as writer, Ends(settings) as ends:
                await writer.close_dangling([*topics.owned(0), Place(topics.events, 1)], ends)
            break
        except LogUnavailable:  # as an engine does it: the broker may need its time to come back
            if not left:
                raise
    found = values(broker, topics.events)
    wanted = [str(number).encode() for number in range(acknowledged)]
    last = str(acknowledged).encode()
    assert sorted(found, key=str) in (
        sorted(wanted * 2, key=str),
        sorted([*wanted * 2, last, last], key=str),
    )
