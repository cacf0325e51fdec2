"""The read model as tables: columns, keys, and each row as the plain values that stand in them.

Times are microseconds since 1970, digests and user data are bytes, lists are JSON text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal, TypeAlias

import orjson

from hitl_events.domain.values import micros, value
from hitl_events.projections.attempts import AttemptRow
from hitl_events.projections.decisions import DecisionRow
from hitl_events.projections.entries import Entry
from hitl_events.projections.pauses import PauseRow
from hitl_events.projections.rows import EventRow, Rows
from hitl_events.projections.runs import RunRow
from hitl_events.projections.steps import StepRow

Kind: TypeAlias = Literal["text", "int", "blob"]
Plain: TypeAlias = tuple[str | int | bytes | None, ...]


@value
class Table:
    """A table of the read model: `key` are the first columns; those in `nullable` may be empty.

    A row of a `final` one never changes. `rows` are the fold's that belong here, as plain values in
    the order of the columns.
    """

    name: str
    columns: tuple[tuple[str, Kind], ...]
    key: int
    nullable: frozenset[str]
    final: bool
    rows: Callable[[Rows], list[Plain]]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(name for name, _ in self.columns)


_FINAL = frozenset({"events", "decisions", "attempts"})


def _columns(text: str) -> tuple[tuple[tuple[str, Kind], ...], frozenset[str]]:
    """`name kind` each, a `?` after the kind for one that may be empty."""
    kinds: dict[str, Kind] = {"text": "text", "int": "int", "blob": "blob"}
    pairs = [each.split() for each in text.split(",")]
    columns: tuple[tuple[str, Kind], ...] = tuple(
        (name, kinds[kind.rstrip("?")]) for name, kind in pairs
    )
    return columns, frozenset(name for name, kind in pairs if kind.endswith("?"))


def _table(
    name: str,
    key: int,
    columns: str,
    rows: Callable[[Rows], Sequence[Any]],
    plain: Callable[[Any], Plain],
) -> Table:
    pairs, nullable = _columns(columns)
    return Table(
        name=name,
        columns=pairs,
        key=key,
        nullable=nullable,
        final=name in _FINAL,
        rows=lambda held: [plain(row) for row in rows(held)],
    )


def _at(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)


def _text(given: str | None) -> str | None:
    """PostgreSQL has no room for a NUL in a text: here stands its sign; the event has the NUL."""
    return given if given is None or "\0" not in given else given.replace("\0", "\u2400")


def _event(row: EventRow) -> Plain:
    return row


def _run(row: RunRow) -> Plain:
    return (
        row.run_id,
        row.recipe,
        row.version,
        row.status,
        row.seq,
        row.head,
        micros(row.started_at),
        micros(row.updated_at),
        row.open_gates,
    )


def _step(row: StepRow) -> Plain:
    return (
        row.run_id,
        row.kind,
        row.step,
        row.occurrence,
        row.status,
        row.attempt,
        row.seq,
        micros(row.at),
        row.duration_us,
        _text(row.error),
        _text(row.message),
        _at(row.retry_at),
    )


def _gate(row: PauseRow) -> Plain:
    about, closing = row.about, row.closing
    return (
        row.run_id,
        row.seq,
        row.gate,
        row.occurrence,
        row.recipe,
        row.version,
        micros(row.opened_at),
        row.pause_kind,
        row.draft_digest,
        orjson.dumps(row.verdicts).decode(),
        row.policy,
        None if about is None else about.step,
        None if about is None else about.occurrence,
        _at(row.expires_at),
        row.on_expiry,
        row.status,
        *(_OPEN if closing is None else (closing.how, closing.seq, micros(closing.at))),
        None if closing is None else _text(closing.decision_id),
    )


_OPEN = (None, None, None)

_ENTRY = (
    "run_id text, seq int, recipe text, version text, at_us int, gate text?, occurrence int?, "
    "opened_seq int?, opened_us int?, draft_digest blob?, decision_id text, verdict text, "
    "notes text?, data blob?, decided_by text?, identity text, key_id text?, claimed_us int?, "
    "echoed_digest blob?, channel text, source_topic text?, source_partition int?, "
    "source_offset int?, source_ms int?, "
)


def _entry(row: Entry) -> Plain:
    source = row.source
    return (
        row.run_id,
        row.seq,
        row.recipe,
        row.version,
        micros(row.at),
        row.gate,
        row.occurrence,
        row.opened_seq,
        _at(row.opened_at),
        row.draft_digest,
        _text(row.decision_id),
        _text(row.verdict),
        _text(row.notes),
        row.data,
        _text(row.decided_by),
        row.identity,
        _text(row.key_id),
        _at(row.claimed_at),
        row.echoed_digest,
        row.channel,
        *(
            (None, None, None, None)
            if source is None
            else (source.topic, source.partition, source.offset, source.timestamp_ms)
        ),
    )


def _decision(row: DecisionRow) -> Plain:
    return (*_entry(row), _text(row.resolution))


def _attempt(row: AttemptRow) -> Plain:
    return (*_entry(row), row.reason, _text(row.message), _text(row.winner_decision_id))


EVENTS = _table(
    "events",
    2,
    "run_id text, seq int, type text, at_us int, value blob",
    attrgetter("events"),
    _event,
)
RUNS = _table(
    "runs",
    1,
    "run_id text, recipe text, version text, status text, seq int, head blob, started_us int, "
    "updated_us int, open_gates int",
    attrgetter("runs"),
    _run,
)
STEPS = _table(
    "steps",
    4,
    "run_id text, kind text, step text, occurrence int, status text, attempt int, seq int, "
    "at_us int, duration_us int?, error text?, message text?, retry_us int?",
    attrgetter("steps"),
    _step,
)
GATES = _table(
    "gates",
    2,
    "run_id text, seq int, gate text, occurrence int, recipe text, version text, opened_us int, "
    "pause_kind text, draft_digest blob, verdicts text, policy blob?, about_step text?, "
    "about_occurrence int?, expires_us int?, on_expiry text?, status text, closed_how text?, "
    "closed_seq int?, closed_us int?, closed_by text?",
    attrgetter("gates"),
    _gate,
)
DECISIONS = _table("decisions", 2, f"{_ENTRY}resolution text?", attrgetter("decisions"), _decision)
ATTEMPTS = _table(
    "attempts",
    2,
    f"{_ENTRY}reason text, message text, winner_decision_id text?",
    attrgetter("attempts"),
    _attempt,
)
TABLES = (EVENTS, RUNS, STEPS, GATES, DECISIONS, ATTEMPTS)
"""All but the counters, which are added to instead of replaced."""
