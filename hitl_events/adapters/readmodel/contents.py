"""All that stands in a read model: its digest, and where it differs from what the events give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

import orjson

from hitl_events.adapters.readmodel.database import Database
from hitl_events.domain.values import RunId, value
from hitl_events.errors import DamagedReadModel
from hitl_events.ports import Codec
from hitl_events.projections.account import account_of
from hitl_events.projections.rows import CounterKey
from hitl_events.projections.tables import TABLES, Plain, Table

_COUNTERS = "SELECT name, label, count FROM counters WHERE count <> 0 ORDER BY name, label"


@value
class Difference:
    """A row that is not as the events say; without a run it is a counter."""

    run_id: RunId | None
    seq: int | None
    problem: str


def digest_of(database: Database) -> bytes:
    """SHA-256 of all rows in the order of their keys; how far it is folded is not in it.

    Two read models of the same runs have the same one, whatever log, order or pieces they are from.
    """
    made = sha256()
    for table in TABLES:
        made.update(table.name.encode() + b"\n")
        for row in database.stream(_all_of(table)):
            made.update(_spelt(row))
    made.update(b"counters\n")
    for row in database.rows(_COUNTERS):
        made.update(_spelt(row))
    return made.digest()


class Comparison:
    """Compares with a read model what is folded again, run by run; gathers the differences."""

    def __init__(self, database: Database, codec: Codec) -> None:
        self._database = database
        self._codec = codec
        self._counters: Counter[CounterKey] = Counter()

    def run(self, run_id: RunId, values: Iterable[bytes]) -> Iterator[Difference]:
        """One run by the values of its events."""
        rows = account_of((self._codec.decode(each), each) for each in values)
        self._counters.update(rows.counters)
        for table in TABLES:
            expected = _by_key(table, table.rows(rows))
            try:
                held = self._database.rows(_of_run(table), (run_id,))
            except DamagedReadModel as error:
                problem = f"expected its rows in {table.name}, found: {error.problem}"
                yield _difference(run_id, None, problem)
                continue
            yield from _differences(table, run_id, expected, _by_key(table, map(_as_held, held)))

    def finish(self, known: Iterable[RunId]) -> Iterator[Difference]:
        """After the last run; `known` are all that the log has."""
        have = frozenset[object](known)
        for table in TABLES:
            for (run_id,) in self._database.stream(f"SELECT DISTINCT run_id FROM {table.name}"):  # noqa: S608 - a table of ours
                if run_id not in have:
                    problem = f"expected no such run, found rows of it in {table.name}"
                    known_as = RunId(run_id) if isinstance(run_id, str) else None
                    yield Difference(run_id=known_as, seq=None, problem=problem)
        found = {(name, label): count for name, label, count in self._database.rows(_COUNTERS)}
        for key in sorted(self._counters.keys() | found.keys(), key=str):
            expected, held = self._counters[key], found.get(key, 0)
            if expected != held:
                problem = f"expected {expected} as the count of {key[0]} {key[1]}, found {held}"
                yield Difference(run_id=None, seq=None, problem=problem)
        if (flaw := self._database.flaw()) is not None:
            problem = f"expected a sound database, found: {flaw}"
            yield Difference(run_id=None, seq=None, problem=problem)


def _differences(
    table: Table, run_id: RunId, expected: Mapping[Plain, Plain], found: Mapping[Plain, Plain]
) -> Iterator[Difference]:
    names = table.names
    at = names.index("seq")
    for key, row in expected.items():
        held = found.get(key)
        if held is None:
            yield _difference(run_id, row[at], f"expected a row in {table.name}, found none")
        elif held != row:
            columns = ", ".join(
                name for name, one, two in zip(names, row, held, strict=True) if one != two
            )
            problem = f"expected what the events give in {table.name}, found another {columns}"
            yield _difference(run_id, row[at], problem)
    for key, row in found.items():
        if key not in expected:
            problem = f"expected no such row in {table.name}, found one"
            yield _difference(run_id, row[at], problem)


def _difference(run_id: RunId, seq: object, problem: str) -> Difference:
    return Difference(run_id=run_id, seq=seq if isinstance(seq, int) else None, problem=problem)


def _by_key(table: Table, rows: Iterable[Plain]) -> dict[Plain, Plain]:
    return {row[: table.key]: row for row in rows}


def _as_held(row: Sequence[object]) -> Plain:
    """PostgreSQL's driver may give other buffers than bytes."""
    return tuple(bytes(held) if isinstance(held, memoryview) else held for held in row)  # type: ignore[misc]  # what a column can hold


def _spelt(row: Sequence[object]) -> bytes:
    plain = [held.hex() if isinstance(held, bytes | memoryview) else held for held in row]
    return orjson.dumps(plain) + b"\n"


def _all_of(table: Table) -> str:
    keys = ", ".join(table.names[: table.key])
    return f"SELECT {', '.join(table.names)} FROM {table.name} ORDER BY {keys}"  # noqa: S608 - as above


def _of_run(table: Table) -> str:
    return f"SELECT {', '.join(table.names)} FROM {table.name} WHERE run_id = ?"  # noqa: S608 - as above
