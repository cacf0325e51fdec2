"""What others have submitted, and the answers to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from hitl_events.adapters import limits
from hitl_events.adapters.limits import ANSWERS_KEPT, TOPIC
from hitl_events.adapters.sqlite import headers
from hitl_events.adapters.sqlite.file import LogFile
from hitl_events.adapters.sqlite.owner import refuse_if_imported
from hitl_events.domain.events import Source
from hitl_events.domain.refusals import Reason, Winner
from hitl_events.domain.values import RunId, micros, moment
from hitl_events.errors import InvalidInput
from hitl_events.ports import Answer, Clock, InboundKind, InboundRecord

_PUT = """INSERT INTO intake (kind, key, value, headers, channel, arrived_us)
VALUES (?, ?, ?, ?, ?, ?)"""
_TAKE = """SELECT id, kind, key, value, headers, channel, arrived_us FROM intake
WHERE id > ? ORDER BY id LIMIT ?"""
_NEXT = """SELECT seq + 1, seq + 1 - (SELECT min(id) FROM intake)
FROM sqlite_sequence WHERE name = 'intake'"""
_HELD = """SELECT count(*),
total(length(value) + ifnull(length(key), 0) + length(headers)) FROM intake"""
_ANSWER = """SELECT run_id, seq, reason, message, winner_id, winner_verdict, winner_by, winner_at_us
FROM answers WHERE id = ?"""
_SETTLE = "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_TAKE_OUT = "DELETE FROM intake WHERE id = ?"
_PRUNE = "DELETE FROM answers WHERE id <= ?"


class Intake:
    """The port `Intake` over the tables `intake` and `answers`."""

    _file: LogFile
    _clock: Clock

    async def put(self, record: InboundRecord) -> int:
        size = limits.checked_size(record)
        with self._file.transaction():
            refuse_if_imported(self._file)
            self._check_room(size)
            # The time is taken under the write lock: see `take`.
            arrived_us = micros(self._clock.now())
            named = headers.encode(record.headers)
            key = record.key
            row = (record.kind, key, record.value, named, record.channel, arrived_us)
            return self._file.insert(_PUT, row)

    def _check_room(self, size: int) -> None:
        number, records_at_most = self._file.row(_NEXT) or (1, 0)
        if limits.may_be_full(number, records_at_most or 0):
            records, held = self._file.row(_HELD)
            limits.check_room(records, int(held), size)

    async def take(self, after: int, limit: int) -> Sequence[InboundRecord]:
        # Under the write lock, as `put`: a record that is being written now is seen, and one that
        # is not will bear a later time than this call. So an expiry may follow an empty answer.
        with self._file.transaction():
            rows = self._file.rows(_TAKE, (after, limit))
        return self._file.decoded("intake", rows, _record)

    async def caught_up(self) -> bool:
        return True  # `take` reads the table itself

    async def answer(self, offset: int) -> Answer | None:
        found = self._file.decoded("answers", self._file.rows(_ANSWER, (offset,)), _answer)
        return found[0] if found else None


def write_answers(file: LogFile, settled: Sequence[tuple[int, Answer]]) -> None:
    """Answer these records, each once, and forget the oldest answers beyond `ANSWERS_KEPT`."""
    if not settled:
        return
    if file.change(_TAKE_OUT, [(offset,) for offset, _ in settled]) != len(settled):
        listed = ", ".join(str(offset) for offset, _ in settled[:10])
        message = f"expected unanswered records in the intake, found one answered among {listed}"
        raise InvalidInput(message)
    file.change(_SETTLE, [_columns(offset, answer) for offset, answer in settled])
    file.change(_PRUNE, [(max(offset for offset, _ in settled) - ANSWERS_KEPT,)])


def _columns(offset: int, answer: Answer) -> tuple[object, ...]:
    winner = answer.winner
    named: tuple[object, ...] = (None, None, None, None)
    if winner is not None:
        by = winner.decided_by
        named = (winner.decision_id, winner.verdict, by, micros(winner.decided_at))
    message = headers.plain_text(answer.message)
    return (offset, answer.run_id, answer.seq, answer.reason, message, *named)


def _answer(row: Any) -> Answer:
    run_id, seq, reason, message, winner_id, verdict, decided_by, at_us = row
    winner = None
    if winner_id is not None:
        winner = Winner(
            decision_id=winner_id, verdict=verdict, decided_by=decided_by, decided_at=moment(at_us)
        )
    return Answer(
        run_id=None if run_id is None else RunId(run_id),
        seq=seq,
        reason=cast("Reason | None", reason),
        message=message,
        winner=winner,
    )


def _record(row: Any) -> InboundRecord:
    offset, kind, key, value, named, channel, arrived_us = row
    return InboundRecord(
        kind=cast("InboundKind", kind),
        key=key,
        value=value,
        headers=headers.decode(named),
        channel=channel,
        source=Source(topic=TOPIC, partition=0, offset=offset, timestamp_ms=arrived_us // 1000),
        number=offset,
    )
