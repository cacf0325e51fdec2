"""Records that have no place, kept whole; the newest of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from hitl_events.adapters import limits
from hitl_events.adapters.limits import DEAD_LETTERS_KEPT
from hitl_events.adapters.sqlite import headers
from hitl_events.adapters.sqlite.file import LogFile
from hitl_events.domain.events import Source
from hitl_events.domain.refusals import Reason
from hitl_events.domain.values import micros, moment
from hitl_events.ports import DeadLetter

_INSERT = """INSERT INTO dead_letters
(reason, message, topic, partition, "offset", timestamp_ms, key, value, headers, recorded_us)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_PRUNE = """DELETE FROM dead_letters
WHERE id <= (SELECT seq FROM sqlite_sequence WHERE name = 'dead_letters') - ?"""
_LAST = "SELECT seq FROM sqlite_sequence WHERE name = 'dead_letters'"
_SIZES = """SELECT id, length(value) + ifnull(length(key), 0) + length(headers)
FROM dead_letters ORDER BY id DESC"""
_FORGET = "DELETE FROM dead_letters WHERE id <= ?"
_NEWEST = """SELECT id, reason, message, topic, partition, "offset", timestamp_ms, key, value,
headers, recorded_us FROM dead_letters ORDER BY id DESC LIMIT ?"""
_DISCARD = "DELETE FROM dead_letters WHERE id = ?"


class DeadLetterTable:
    """The port `DeadLetters` over the table of that name; the newest come first."""

    _file: LogFile

    async def list(self, limit: int) -> Sequence[tuple[int, DeadLetter]]:
        return self._file.decoded("dead_letters", self._file.rows(_NEWEST, (limit,)), _numbered)

    async def discard(self, number: int) -> bool:
        with self._file.transaction():
            return self._file.change(_DISCARD, [(number,)]) == 1


def write_dead_letters(file: LogFile, letters: Sequence[DeadLetter]) -> None:
    """Add these, and forget the oldest beyond what is kept of them."""
    if not letters:
        return
    file.change(_INSERT, [_columns(letter) for letter in letters])
    file.change(_PRUNE, [(DEAD_LETTERS_KEPT,)])
    (last,) = file.row(_LAST)
    if last % limits.LOOKED_AFTER < len(letters):
        _forget_by_size(file, last)


def _forget_by_size(file: LogFile, last: int) -> None:
    """Forget the oldest beyond `DEAD_LETTERS_BYTES_KEPT`, but never the newest."""
    room = limits.DEAD_LETTERS_BYTES_KEPT
    for number, size in file.rows(_SIZES):
        room -= size
        if room < 0 and number != last:
            file.change(_FORGET, [(number,)])
            return


def _columns(letter: DeadLetter) -> tuple[object, ...]:
    source = letter.source
    place: tuple[object, ...] = (None, None, None, None)
    if source is not None:
        place = (source.topic, source.partition, source.offset, source.timestamp_ms)
    message = headers.plain_text(letter.message)
    named = headers.encode(letter.headers)
    at_us = micros(letter.recorded_at)
    return (letter.reason, message, *place, letter.key, letter.value, named, at_us)


def _numbered(row: Any) -> tuple[int, DeadLetter]:
    number, reason, message, topic, partition, offset, timestamp_ms, key, value, named, at_us = row
    source = None
    if topic is not None:
        source = Source(topic=topic, partition=partition, offset=offset, timestamp_ms=timestamp_ms)
    return number, DeadLetter(
        reason=cast("Reason", reason),
        message=message,
        source=source,
        key=key,
        value=value,
        headers=headers.decode(named),
        recorded_at=moment(at_us),
    )
