"""The tables in the database and their versions: migrations go forward only.

A released migration is never changed; a new version adds one to the end of the list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hitl_events.projections.tables import TABLES, Table

Types = Mapping[str, str]
"""`text`, `int` and `blob` in the database's words."""

_PLACES = """CREATE TABLE places (
    partition {int} NOT NULL PRIMARY KEY,
    next_offset {int} NOT NULL,
    epoch {int} NOT NULL,
    last_offset {int},
    last_run {text},
    last_seq {int}
)"""
"""How far each partition is folded, who may write it, and the event with which that ended."""

_COUNTERS = """CREATE TABLE counters (
    name {text} NOT NULL,
    label {text} NOT NULL,
    count {int} NOT NULL,
    PRIMARY KEY (name, label)
){clustered}"""

_INDEXES = (
    "CREATE INDEX runs_started ON runs (started_us, run_id)",
    "CREATE INDEX runs_by_status ON runs (status, started_us, run_id)",
    "CREATE INDEX runs_by_recipe ON runs (recipe, started_us, run_id)",
    "CREATE INDEX gates_open ON gates (opened_us, run_id, seq) WHERE closed_seq IS NULL",
    "CREATE INDEX gates_open_of ON gates (recipe, opened_us, run_id, seq) WHERE closed_seq IS NULL",
    "CREATE INDEX decisions_at ON decisions (at_us, run_id)",
    "CREATE INDEX decisions_by ON decisions (decided_by, at_us) WHERE decided_by IS NOT NULL",
    "CREATE INDEX attempts_at ON attempts (at_us, run_id)",
)


def migrations(types: Types) -> Sequence[Sequence[str]]:
    """The statements of each version, the first first."""
    first = [*(_create(table, types) for table in TABLES)]
    first += [_PLACES.format_map(types), _COUNTERS.format_map(types), *_INDEXES]
    return (first,)


def _create(table: Table, types: Types) -> str:
    lines = [
        f"{name} {types[kind]}{'' if name in table.nullable else ' NOT NULL'}"
        for name, kind in table.columns
    ]
    lines.append(f"PRIMARY KEY ({', '.join(table.names[: table.key])})")
    return f"CREATE TABLE {table.name} ({', '.join(lines)}){types['clustered']}"
