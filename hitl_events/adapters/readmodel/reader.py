"""Questions to the read model: what is open, which runs there are, what a run was told.

Every query finds its rows by an index; a test looks at the plans.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, get_args

from hitl_events.adapters.readmodel.database import Database
from hitl_events.adapters.readmodel.held import PLACES, damaged, number, octets, text
from hitl_events.domain.state import Status
from hitl_events.domain.values import RunId, micros, moment, value
from hitl_events.errors import DamagedReadModel
from hitl_events.projections.runs import RunRow

_SELECT_OPEN = """SELECT started.value, paused.value FROM gates
JOIN events AS started ON started.run_id = gates.run_id AND started.seq = 1
JOIN events AS paused ON paused.run_id = gates.run_id AND paused.seq = gates.seq
WHERE gates.closed_seq IS NULL"""
_COUNT_OPEN = "SELECT count(*) FROM gates WHERE gates.closed_seq IS NULL"
_OPEN_ORDER = " ORDER BY gates.opened_us, gates.run_id, gates.seq"
_SELECT_RUNS = """SELECT run_id, recipe, version, status, seq, head, started_us, updated_us,
open_gates FROM runs"""
_EVENTS = "SELECT value FROM events WHERE run_id = ? ORDER BY seq"
_EVENT = "SELECT 1 FROM events WHERE run_id = ? AND seq = ?"
_COUNTERS = "SELECT name, label, count FROM counters WHERE count <> 0 ORDER BY name, label"
_STATUSES = frozenset(get_args(Status))
_PLACES = "SELECT partition, next_offset FROM places ORDER BY partition"


@value
class OpenPause:
    """An open gate by the values of the events that tell of it: the run's start, and its own."""

    started: bytes
    paused: bytes = field(repr=False)


class Questions:
    """The reading half. One connection, one thread at a time."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def open_pauses(
        self,
        *,
        recipe: str | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Sequence[OpenPause]:
        """The longest waiting first; of a recipe, opened until that time, so many."""
        which, given = _open_of(recipe, until)
        sql = f"{_SELECT_OPEN}{which}{_OPEN_ORDER}"
        if limit is not None:
            sql, given = f"{sql} LIMIT ?", [*given, limit]
        rows = self.database.rows(sql, given)
        what = "an open gate"
        return [
            OpenPause(started=octets(first, what), paused=octets(own, what)) for first, own in rows
        ]

    def count_open(self, *, recipe: str | None = None, until: datetime | None = None) -> int:
        """How many gates are open; of a recipe, opened until that time."""
        if recipe is None and until is None:
            return self.counters().get(("gates", "open"), 0)
        which, given = _open_of(recipe, until)
        return int(self.database.rows(f"{_COUNT_OPEN}{which}", given)[0][0])

    def runs(
        self,
        *,
        statuses: Sequence[str] | None = None,
        recipe: str | None = None,
        limit: int | None = None,
    ) -> list[RunRow]:
        """In the order of their start; `limit` keeps the last."""
        wanted, given = list[str](), list[object]()
        if statuses is not None:
            wanted.append(f"status IN ({', '.join('?' * len(statuses))})")
            given += statuses
        if recipe is not None:
            wanted.append("recipe = ?")
            given.append(recipe)
        sql = _SELECT_RUNS + (f" WHERE {' AND '.join(wanted)}" if wanted else "")
        sql += " ORDER BY started_us DESC, run_id DESC"
        if limit is not None:
            sql += " LIMIT ?"
            given.append(limit)
        return [_run_row(row) for row in self.database.rows(sql, given)][::-1]

    def events(self, run_id: str) -> tuple[bytes, ...]:
        """The values of a run's events, seq 1 first; none of a run that is not there."""
        rows = self.database.rows(_EVENTS, (run_id,))
        return tuple(octets(held, _run(run_id)) for (held,) in rows)

    def has(self, run_id: str, seq: int) -> bool:
        """Whether that event of the run is there."""
        return bool(self.database.rows(_EVENT, (run_id, seq)))

    def counters(self) -> dict[tuple[str, str], int]:
        """What is counted, by name and label; nothing that is zero."""
        rows = self.database.rows(_COUNTERS)
        return {(name, label): number(count, "a counter") for name, label, count in rows}

    def places(self) -> dict[int, int]:
        """How far each partition is folded: the offset that is next."""
        rows = self.database.rows(_PLACES)
        return {number(key, PLACES): number(offset, PLACES) for key, offset in rows}

    def run_ids(self) -> Iterator[RunId]:
        """All runs, in the order of their ids."""
        for (run_id,) in self.database.stream("SELECT run_id FROM runs ORDER BY run_id"):
            yield RunId(run_id)


def damaged_run(run_id: str) -> DamagedReadModel:
    """What is told of a run of which the read model has a row that no fold writes."""
    return damaged(_run(run_id))


def _run(run_id: str) -> str:
    return f"run {run_id!r}"


def _open_of(recipe: str | None, until: datetime | None) -> tuple[str, list[object]]:
    wanted, given = "", list[object]()
    if recipe is not None:
        wanted, given = " AND gates.recipe = ?", [*given, recipe]
    if until is not None:
        wanted, given = f"{wanted} AND gates.opened_us <= ?", [*given, micros(until)]
    return wanted, given


def _run_row(row: Sequence[Any]) -> RunRow:
    """`DamagedReadModel` for a row that no fold writes."""
    run_id, recipe, version, status, seq, head, started_us, updated_us, open_gates = row
    what = _run(run_id)
    try:
        if status not in _STATUSES:
            raise ValueError(status)
        return RunRow(
            run_id=RunId(text(run_id, what)),
            recipe=text(recipe, what),
            version=text(version, what),
            status=status,
            seq=number(seq, what),
            head=octets(head, what),
            started_at=moment(started_us),
            updated_at=moment(updated_us),
            open_gates=number(open_gates, what),
        )
    except (ValueError, TypeError, OverflowError):
        raise damaged(what) from None
