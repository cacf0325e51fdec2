"""What was fed and is not settled: numbers, offsets to commit, bounds, proofs."""

from collections.abc import Mapping
from dataclasses import replace

from hitl_events.adapters.inbound.proof import FORWARDED, forwarded_header, producer_header
from hitl_events.adapters.kafka import intake as module
from hitl_events.adapters.kafka.intake import FedIntake
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.domain.events import Source
from hitl_events.domain.token import TokenKeys
from hitl_events.ports import Headers

KEYS = TokenKeys([b"k" * 32])
TOPICS = Topics("t")


def stored(
    offset: int, value: bytes | None = b"{}", headers: Headers = (), topic: str = TOPICS.decisions
) -> Stored:
    place = Place(topic, 3)
    return Stored(
        place=place, offset=offset, timestamp_ms=1000, key=b"k", value=value, headers=headers
    )


def an_intake(
    ends: Mapping[str, tuple[int, int]] | None = None, fed: Mapping[str, int] | None = None
) -> FedIntake:
    async def known() -> Mapping[str, tuple[int, int]]:
        return ends or {}

    async def fed_to() -> Mapping[str, int] | None:
        return fed

    return FedIntake(TOPICS, KEYS, known, fed_to)


def test_numbers_count_what_was_fed() -> None:
    """Records of both topics get growing numbers, and each is taken once, in that order."""
    intake = an_intake()
    intake.feed([stored(7), stored(9)])
    intake.feed([stored(7, topic=TOPICS.commands)])

    taken = [*intake.take(2), *intake.take(5), *intake.take(5)]

    assert [(each.number, each.kind, each.source.offset) for each in taken] == [
        (1, "decision", 7),
        (2, "decision", 9),
        (3, "command", 7),
    ]


def test_an_offset_is_committed_once_all_before_it_is_settled() -> None:
    """What is settled out of order moves nothing until the gap is closed."""
    intake = an_intake()
    intake.feed([stored(7), stored(9), stored(12)])

    assert intake.offsets_after([2]) == {TOPICS.decisions: 7}
    intake.settle([2])
    assert intake.offsets_after([1]) == {TOPICS.decisions: 12}
    intake.settle([1])
    assert intake.offsets_after([3]) == {TOPICS.decisions: 13}


def test_a_transaction_that_fails_settles_nothing() -> None:
    """Asking for the offsets changes nothing: only `settle` does."""
    intake = an_intake()
    intake.feed([stored(7), stored(8)])

    assert intake.offsets_after([1, 2]) == intake.offsets_after([1, 2])
    assert intake.held(1).source.offset == 7


def test_each_topic_has_its_own_offsets() -> None:
    """A batch moves only the topics of its records."""
    intake = an_intake()
    intake.feed([stored(7), stored(8)])
    intake.feed([stored(70, topic=TOPICS.commands)])

    assert intake.offsets_after([3]) == {TOPICS.commands: 71}
    assert intake.offsets_after([1, 3]) == {TOPICS.commands: 71, TOPICS.decisions: 8}


def test_it_is_full_by_records_and_by_bytes() -> None:
    """A partition that is not served holds a bounded part of the memory."""
    large, many = an_intake(), an_intake()
    piece = b"x" * (module.FED_BYTES_MAX // 4)
    large.feed([stored(offset, piece) for offset in range(4)])
    many.feed([stored(offset) for offset in range(module.FED_RECORDS_MAX)])
    assert (large.is_full, many.is_full) == (True, True)

    large.settle([1])
    many.settle([1])

    assert (large.is_full, many.is_full) == (False, False)


def test_keys_and_headers_fill_it_too() -> None:
    """What holds a partition's memory is the whole record, not its value alone."""
    keys, headers = an_intake(), an_intake()
    piece = b"x" * (module.FED_BYTES_MAX // 4)
    keys.feed([replace(stored(offset), key=piece) for offset in range(4)])
    headers.feed([stored(offset, headers=(("x", piece),)) for offset in range(4)])
    assert (keys.is_full, headers.is_full) == (True, True)

    keys.settle([1])
    headers.settle([1])

    assert (keys.is_full, headers.is_full) == (False, False)


async def test_nothing_is_passed_that_is_not_settled() -> None:
    """An offset moves over markers only where no record before them is open."""
    intake = an_intake(fed={TOPICS.decisions: 9, TOPICS.commands: 4})
    intake.begin({TOPICS.decisions: 7, TOPICS.commands: 4})
    intake.feed([stored(7)])
    assert await intake.passed() == {}

    intake.committed(intake.offsets_after([1]))
    intake.settle([1])

    assert await intake.passed() == {TOPICS.decisions: 9}


async def test_nothing_is_passed_before_its_feeding_begins() -> None:
    """How far the last owner was fed is not known here."""
    intake = an_intake(fed=None)
    intake.begin({TOPICS.decisions: 7})

    assert await intake.passed() == {}


def test_a_tombstone_is_not_an_empty_value() -> None:
    """Both read as empty, and a dead letter can tell them apart."""
    intake = an_intake()
    intake.feed([stored(1, None), stored(2, b"")])

    assert [(each.value, each.is_null) for each in intake.take(2)] == [(b"", True), (b"", False)]


def test_a_channel_must_be_proved() -> None:
    """A producer that holds the key is believed, anybody else is the topic."""
    good = (("hitl-producer", producer_header(KEYS, "cli", b"{}")),)
    intake = an_intake()
    intake.feed([stored(1, headers=good), stored(2, b"{ }", good), stored(3)])

    assert [each.channel for each in intake.take(3)] == ["cli", "topic", "topic"]


def test_a_forwarded_record_keeps_its_origin() -> None:
    """Its source is where it was first, its headers are as they were sent; a forgery counts not."""
    origin = Source(topic="t.decisions", partition=1, offset=5, timestamp_ms=77)
    proof = (FORWARDED, forwarded_header(KEYS, origin, b"{}"))
    forged = (FORWARDED, b"t.decisions:1:5:77:" + b"0" * 64)
    intake = an_intake()
    intake.feed([stored(1, headers=(forged, proof)), stored(2, headers=(forged,))])

    passed_on, own = intake.take(2)

    assert (passed_on.source, passed_on.forwarded, passed_on.headers) == (origin, True, (forged,))
    assert (own.source.offset, own.forwarded, own.headers) == (2, False, (forged,))


async def test_it_is_caught_up_where_all_ends_are_reached() -> None:
    """A timer may fire once both topics were fed up to their high watermark."""
    assert await an_intake({"a": (5, 5), "b": (9, 8)}).caught_up()
    assert not await an_intake({"a": (5, 5), "b": (7, 8)}).caught_up()


def test_news_are_told_once() -> None:
    """`changed` says whether something was fed since it was asked."""
    intake = an_intake()
    assert not intake.changed()
    intake.feed([stored(1)])

    assert (intake.changed(), intake.changed()) == (True, False)
