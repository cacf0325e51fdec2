"""Our schema in a PostgreSQL database: made, migrated forward, refused where it is not ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from hitl_events.adapters.readmodel.migrations import migrations
from hitl_events.adapters.readmodel.upserts import replacing
from hitl_events.projections.tables import TABLES, Table

TYPES = {"text": 'text COLLATE "C"', "int": "bigint", "blob": "bytea", "clustered": ""}
_COPIED = {"text": "text", "int": "int8", "blob": "bytea"}
LOCKS = 0x6869746D
"""`hitm` in ASCII: the first half of our advisory locks' key; the schema's name is the other."""

_VERSION = "SELECT coalesce(max(version), 0) FROM {}.migrations"
_HAS_SCHEMA = "SELECT count(*) > 0 FROM pg_namespace WHERE nspname = %s"
_HAS_CONTENTS = """SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = pg_namespace.oid)
OR EXISTS (SELECT FROM pg_proc WHERE pronamespace = pg_namespace.oid)
OR EXISTS (SELECT FROM pg_type WHERE typnamespace = pg_namespace.oid)
FROM pg_namespace WHERE nspname = %s"""
HAS_OURS = """SELECT count(*) = 3 FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = %s AND relname IN ('migrations', 'places', 'counters')"""
"""Not by to_regclass: it asks a cache, which does not know what was made while we waited."""
_OTHERS = "another program's tables stand there: name another with ?schema="
NONE = "none of this version is there"

_LOCK = "SELECT pg_advisory_xact_lock(%s::int, hashtext(%s))"


def prepared(connection: psycopg.Connection[Any], schema: str, *, writable: bool) -> str | None:
    """Ready for this release's statements, or what is wrong with it."""
    known = migrations(TYPES)
    version = _version(connection, schema)
    if version > len(known):
        return f"it has version {version}, newer than the known {len(known)}: upgrade hitl-events"
    if not writable:
        return None if version == len(known) else NONE
    if version < len(known) and (problem := _migrate(connection, schema, known)):
        return problem
    for table in TABLES:
        connection.execute(_create_stage(table).encode())
    return None


def _migrate(
    connection: psycopg.Connection[Any], schema: str, known: Sequence[Sequence[str]]
) -> str | None:
    """Forward, in one transaction; of several processes one does it, the others wait for it."""
    with connection.transaction():
        connection.execute(_LOCK, (LOCKS, schema))
        version = _version(connection, schema)
        if version == 0 and (problem := _made(connection, schema)):
            return problem
        for number, statements in enumerate(known[version:], version + 1):
            for statement in statements:
                connection.execute(statement.encode())
            connection.execute("INSERT INTO migrations VALUES (%s)", (number,))
    return None


def others_in(connection: psycopg.Connection[Any], schema: str) -> str | None:
    """What keeps us from putting a read model there; None for no schema, an empty one, or ours."""
    if _is_so(connection, HAS_OURS, schema) or not _is_so(connection, _HAS_CONTENTS, schema):
        return None
    return _OTHERS


def quoted(schema: str) -> str:
    """A checked name as SQL has it, also where it is a word of SQL."""
    return f'"{schema}"'


def stage_of(table: Table) -> str:
    """A table of the connection's own, empty at the start of each transaction."""
    return f"staged_{table.name}"


def from_stage(table: Table) -> str:
    """Puts what stands there into the table."""
    names = ", ".join(table.names)
    taken = f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {stage_of(table)}"  # noqa: S608 - names of ours
    return f"{taken} {replacing(table)}"


def copied_types(table: Table) -> list[str]:
    """The columns' types, as a binary COPY has to know them."""
    return [_COPIED[kind] for _, kind in table.columns]


def _version(connection: psycopg.Connection[Any], schema: str) -> int:
    """0 for none."""
    if not _is_so(connection, HAS_OURS, schema):
        return 0
    # with the schema's name: without a right to it its tables are not there, by the search path
    version_of = _VERSION.format(quoted(schema)).encode()
    (version,) = connection.execute(version_of).fetchone() or (0,)
    return int(version)


def _made(connection: psycopg.Connection[Any], schema: str) -> str | None:
    """The schema with its table of versions."""
    if problem := others_in(connection, schema):
        return problem
    if not _is_so(connection, _HAS_SCHEMA, schema):
        connection.execute(f"CREATE SCHEMA {quoted(schema)}".encode())
    connection.execute("CREATE TABLE migrations (version bigint NOT NULL PRIMARY KEY)")
    return None


def _is_so(connection: psycopg.Connection[Any], sql: str, name: str) -> bool:
    (found,) = connection.execute(sql.encode(), (name,)).fetchone() or (False,)
    return bool(found)


def _create_stage(table: Table) -> str:
    columns = ", ".join(f"{name} {TYPES[kind]}" for name, kind in table.columns)
    return f"CREATE TEMP TABLE {stage_of(table)} ({columns}) ON COMMIT DELETE ROWS"
