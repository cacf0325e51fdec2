"""What the embedded logs share: the name of their intake, and how much they keep of it."""

from __future__ import annotations

from hitl_events.errors import IntakeFull, InvalidInput
from hitl_events.ports import DeadLetter, InboundRecord

TOPIC = "intake"
"""The topic of a record's source where there is no broker."""

RECORD_BYTES_KEPT_MAX = 1024 * 1024
"""Of a record with key and headers, as brokers have it by default: four times of what may be ruled
on, so that what is too large for that is kept whole as a dead letter."""

INTAKE_RECORDS_MAX = 10_000
"""Unanswered records. Who sends one waits for its answer, so this is as many callers; an owner
answers some thousand a second, so it is some seconds of work, or an owner that hangs."""

INTAKE_BYTES_MAX = 256 * 1024 * 1024
"""Of all unanswered records, on disk: at least 256 of the largest, 26 KB each for 10,000."""

ANSWERS_KEPT = 50_000
"""One submission is one commit, of which a disk takes at most 5,000 a second: who waits for an
answer has 10 s to look, as long as a lock is waited for. 3 MB on disk."""

DEAD_LETTERS_KEPT = 10_000
"""Days of a broken producer's output to look at; at 1 KB each 10 MB."""

DEAD_LETTERS_BYTES_KEPT = 64 * 1024 * 1024
"""Of their keys, values and headers: 10,000 of 6 KB, or 64 of the largest. To list them all takes
as much memory."""

LOOKED_AFTER = 64
"""To sum up 10,000 rows takes 20 to 100 ms, so it is done once for so many new ones: a bound may be
passed by 63 records, of the largest 63 MiB."""


def size_of(record: InboundRecord | DeadLetter) -> int:
    """Bytes of value, key and headers."""
    headers = sum(len(name) + len(value) for name, value in record.headers)
    return len(record.value) + len(record.key or b"") + headers


def checked_size(record: InboundRecord) -> int:
    """The size of a record that may be put into an intake; `InvalidInput` for one too large."""
    size = size_of(record)
    if size > RECORD_BYTES_KEPT_MAX:
        message = f"expected a record of at most {RECORD_BYTES_KEPT_MAX} bytes, found {size}"
        raise InvalidInput(f"{message}: send where the data is, not the data")
    return size


def may_be_full(number: int, records_at_most: int) -> bool:
    """False where the record of that number need not be counted.

    So few wait that, whatever their size, both bounds are far; or it is not the turn of this one.
    Where a record was refused, the next has its number, so that it is its turn again.
    """
    if number % LOOKED_AFTER:
        return False
    return records_at_most >= min(INTAKE_RECORDS_MAX, INTAKE_BYTES_MAX // RECORD_BYTES_KEPT_MAX)


def check_room(records: int, size: int, added: int) -> None:
    """`IntakeFull` unless one more record, of `added` bytes, fits beside those that wait."""
    if records >= INTAKE_RECORDS_MAX or size + added > INTAKE_BYTES_MAX:
        raise IntakeFull(
            f"expected room in the intake, found {records} unanswered records of {size} bytes in "
            f"it: nothing of this one was recorded; its owner hangs, end it or wait for it"
        )
