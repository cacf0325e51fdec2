"""The read model: written by whoever folds a partition, a piece and its offset in one transaction.

Only one may write a partition: taking it over raises its epoch, and each write checks that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

from hitl_events.adapters.readmodel.database import Database
from hitl_events.adapters.readmodel.held import PLACES, number, octets
from hitl_events.domain.values import RunId
from hitl_events.errors import Fenced
from hitl_events.projections.rows import Rows
from hitl_events.projections.store import Proof, Tenure
from hitl_events.projections.tables import TABLES

_KEYS_PER_QUERY = 400

_ADD_PLACE = """INSERT INTO places (partition, next_offset, epoch) VALUES (?, 0, 0)
ON CONFLICT (partition) DO NOTHING"""
_TAKE = "UPDATE places SET epoch = epoch + 1 WHERE partition = ?"
_PLACE = """SELECT next_offset, epoch, last_offset, last_run, last_seq FROM places
WHERE partition = ?"""
_BESIDE = """SELECT places.partition, places.last_offset, events.value FROM places
JOIN events ON events.run_id = places.last_run AND events.seq = places.last_seq
ORDER BY places.partition LIMIT 1"""
_ADVANCE = """UPDATE places SET next_offset = ?, last_offset = ?, last_run = ?, last_seq = ?
WHERE partition = ? AND epoch = ? AND next_offset = ?"""
_MOVE = "UPDATE places SET next_offset = ? WHERE partition = ? AND epoch = ? AND next_offset = ?"
_COUNT = """INSERT INTO counters (name, label, count) VALUES (?, ?, ?)
ON CONFLICT (name, label) DO UPDATE SET count = counters.count + excluded.count"""
_EVENTS_OF = "SELECT run_id, value FROM events WHERE run_id IN ({}) ORDER BY run_id, seq"
_EVENT = "SELECT value FROM events WHERE run_id = ? AND seq = ?"
_FENCE = "UPDATE places SET epoch = epoch + 1"


class ReadModel:
    """The writing half: `take_over`, `load`, `write`. One connection, one thread at a time."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def take_over(self, partition: int) -> Tenure:
        """Fence whoever wrote this partition; where the fold goes on."""
        database = self.database
        with database.transaction():
            database.change(_ADD_PLACE, [(partition,)])
            database.change(_TAKE, [(partition,)])
            [(next_offset, epoch, last_offset, run_id, seq)] = database.rows(_PLACE, (partition,))
            found = database.rows(_EVENT, (run_id, seq)) if run_id is not None else []
            others = database.rows(_BESIDE) if run_id is None else []
        return Tenure(
            partition=partition,
            epoch=number(epoch, PLACES),
            next_offset=number(next_offset, PLACES),
            last_offset=None if last_offset is None else number(last_offset, PLACES),
            last=octets(found[0][0], PLACES) if found else None,
            beside=_proof(*others[0]) if others else None,
        )

    def fence_all(self) -> None:
        """Nobody who writes now may write on: they must take over anew."""
        self.database.change(_FENCE, [()])

    def load(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Sequence[bytes]]:
        """The values of all events of each run that is there, seq 1 first."""
        found: dict[RunId, Sequence[bytes]] = {}
        for start in range(0, len(run_ids), _KEYS_PER_QUERY):
            some = run_ids[start : start + _KEYS_PER_QUERY]
            rows = self.database.rows(_EVENTS_OF.format(",".join("?" * len(some))), some)
            for run_id, its in groupby(rows, itemgetter(0)):
                found[RunId(run_id)] = [octets(held, f"run {run_id!r}") for _, held in its]
        return found

    def write(self, tenure: Tenure, rows: Rows, next_offset: int, last_offset: int) -> Tenure:
        database = self.database
        with database.transaction():
            self._advance(tenure, rows, next_offset, last_offset)
            for table in TABLES:
                if plain := table.rows(rows):
                    database.put(table, plain)
            if rows.counters:
                database.change(_COUNT, _sorted_counts(rows))
        if rows.last is None:
            return replace(tenure, next_offset=next_offset)
        last = rows.last.value
        return replace(tenure, next_offset=next_offset, last_offset=last_offset, last=last)

    def close(self) -> None:
        """Give the connection back."""
        self.database.close()

    def _advance(self, tenure: Tenure, rows: Rows, next_offset: int, last_offset: int) -> None:
        """First of all: a stale one waits here for the transaction of the other, and then fails."""
        key = tenure.partition, tenure.epoch, tenure.next_offset
        if (last := rows.last) is not None:
            told = next_offset, last_offset, last.run_id, last.seq
            moved = self.database.change(_ADVANCE, [(*told, *key)])
        else:
            moved = self.database.change(_MOVE, [(next_offset, *key)])
        if moved != 1:
            raise Fenced(
                f"expected to be the only one that folds partition {tenure.partition} into "
                f"{self.database.place}, found that another took it over: take it over anew"
            )


def _proof(partition: object, offset: object, its_value: object) -> Proof:
    return Proof(
        partition=number(partition, PLACES),
        offset=number(offset, PLACES),
        value=octets(its_value, PLACES),
    )


def _sorted_counts(rows: Rows) -> Iterable[tuple[str, str, int]]:
    """In one order for all, so that two transactions never wait for each other."""
    return [(*key, count) for key, count in sorted(rows.counters.items()) if count]
