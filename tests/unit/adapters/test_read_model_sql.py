"""The statements of a read model, and what is told of a database that fails: no server needed."""

from __future__ import annotations

import psycopg
import pytest

from hitl_events.adapters.readmodel.opening import target_of
from hitl_events.adapters.readmodel.postgres_schema import copied_types, from_stage, stage_of
from hitl_events.adapters.readmodel.postgres_target import PostgresTarget
from hitl_events.adapters.readmodel.postgres_trouble import translated
from hitl_events.adapters.readmodel.upserts import replacing, upsert
from hitl_events.errors import InvalidInput, LogUnavailable
from hitl_events.projections.tables import EVENTS, RUNS, TABLES


def test_a_final_row_comes_once_and_any_other_replaces() -> None:
    """A second event of one seq is an error of the database, a second row of a run its update."""
    assert "ON CONFLICT" not in upsert(EVENTS)
    assert upsert(RUNS).endswith(replacing(RUNS))
    assert replacing(RUNS).startswith("ON CONFLICT (run_id) DO UPDATE SET recipe = excluded.recipe")


def test_a_stage_has_the_columns_of_its_table() -> None:
    """In their order and with their types: a binary copy knows no names."""
    for table in TABLES:
        assert len(copied_types(table)) == len(table.names)
        assert f"SELECT {', '.join(table.names)} FROM {stage_of(table)}" in from_stage(table)


def test_no_password_is_told() -> None:
    """Whatever the driver quotes: place and what to do are named, the secret is not."""
    with pytest.raises(LogUnavailable) as told, translated("database d", frozenset({"hunter2"})):
        raise psycopg.OperationalError("password hunter2 was refused\nDETAIL: more")

    assert "hunter2" not in str(told.value)
    assert "HITL_READ_MODEL has its host" in str(told.value)
    assert str(told.value).startswith("expected to use the read model in database d")
    assert "\n" not in str(told.value)


def test_what_a_column_can_not_hold_is_invalid() -> None:
    """Numbers and texts that no database takes are the caller's."""
    with pytest.raises(InvalidInput, match=r"2\^63"), translated("database d"):
        raise OverflowError
    with pytest.raises(InvalidInput, match="lone surrogate"), translated("database d"):
        "\ud800".encode()


def test_a_target_tells_its_place_without_its_password() -> None:
    """By the URL alone: nothing is connected."""
    target = target_of("postgresql://ann:hunter2@db.example:5433/approvals?schema=gates")

    assert isinstance(target, PostgresTarget)
    assert target.place == "database approvals at db.example:5433, schema gates"
