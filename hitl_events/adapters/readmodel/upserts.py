"""How a row comes into its table: a final one once, any other in place of the one before it."""

from __future__ import annotations

from hitl_events.projections.tables import TABLES, Table


def upsert(table: Table) -> str:
    """For one row, its values in the order of the columns."""
    return _UPSERTS[table.name]


def replacing(table: Table) -> str:
    """The end of an INSERT that puts a row in the place of the one with its key."""
    keys, rest = table.names[: table.key], table.names[table.key :]
    changed = ", ".join(f"{name} = excluded.{name}" for name in rest)
    return f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changed}"


def _upsert(table: Table) -> str:
    names = table.names
    places = ", ".join("?" * len(names))
    start = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({places})"  # noqa: S608 - names of ours
    # a final row comes once: a second one of its key is an error
    return start if table.final else f"{start} {replacing(table)}"


_UPSERTS = {table.name: _upsert(table) for table in TABLES}
