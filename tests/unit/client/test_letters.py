"""Records of the topic of dead letters."""

from __future__ import annotations

from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.client.letters import letter_of
from hitl_events.domain.events import Source
from hitl_events.domain.values import moment

ABOUT = (
    ("hitl-dlq-reason", b"too_large"),
    ("hitl-dlq-topic", b"hitl.commands"),
    ("hitl-dlq-partition", b"2"),
    ("hitl-dlq-offset", b"7"),
    ("hitl-dlq-timestamp", b"1700000000000"),
    ("hitl-dlq-message", "expected é, found".encode()),
)


def record(*headers: tuple[str, bytes], value: bytes | None = b"v") -> Stored:
    """One in partition 1 at offset 9."""
    place = Place("hitl.dead-letters", 1)
    return Stored(place=place, offset=9, timestamp_ms=5000, key=b"k", value=value, headers=headers)


def test_a_dead_letter_is_the_record_that_it_was() -> None:
    """Key, value and own headers, and beside them reason, message and where it came from."""
    found = letter_of(record(("mine", b"\xff"), *ABOUT))
    letter = found.letter

    assert (found.number, found.value_bytes) == ("1:9", 1)
    assert (letter.key, letter.value, letter.headers) == (b"k", b"v", (("mine", b"\xff"),))
    assert (letter.reason, letter.message) == ("too_large", "expected é, found")
    assert letter.recorded_at == moment(5_000_000)
    assert letter.source == Source(
        topic="hitl.commands", partition=2, offset=7, timestamp_ms=1_700_000_000_000
    )


def test_a_record_without_a_value_stays_without() -> None:
    """A tombstone is another record than an empty one."""
    assert letter_of(record(*ABOUT, value=None)).letter.is_null
    assert not letter_of(record(*ABOUT, value=b"")).letter.is_null


def test_what_nobody_says_is_shown_all_the_same() -> None:
    """Somebody else's record in the topic: no source, and a reason that is true of it."""
    letter = letter_of(record(("hitl-dlq-offset", b"x"))).letter

    assert (letter.reason, letter.source, letter.message) == ("engine_error", None, "")
