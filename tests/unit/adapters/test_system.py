import time
from copy import copy
from datetime import UTC, datetime
from uuid import RFC_4122, UUID

import pytest

from hitl_events.adapters.system import SystemIds
from hitl_events.domain.values import RUN_ID


def test_run_ids_sort_by_time() -> None:
    """Run ids are UUIDv7 of now: each is later than the one before, in text as in time."""
    ids = SystemIds()
    before_ms = time.time_ns() // 1_000_000
    made = [ids.run_id() for _ in range(5000)]

    assert made == sorted(set(made))
    assert all(RUN_ID.fullmatch(run_id) for run_id in made)
    assert {(UUID(run_id).version, UUID(run_id).variant) for run_id in made} == {(7, RFC_4122)}
    assert all(str(UUID(run_id)) == run_id for run_id in made)
    assert before_ms <= UUID(made[0]).int >> 80 <= datetime.now(UTC).timestamp() * 1000


def test_a_clock_that_goes_back_breaks_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run ids of one process grow even while the wall clock stands still or goes back."""
    ids = SystemIds()
    first = ids.run_id()
    monkeypatch.setattr("hitl_events.adapters.system.time.time_ns", lambda: 0)

    assert first < ids.run_id() < ids.run_id()


def test_ids_of_decisions_and_commands_are_random() -> None:
    """They are UUIDs of version 4, never the same twice."""
    ids = SystemIds()
    made: list[str] = [make() for _ in range(100) for make in (ids.decision_id, ids.command_id)]

    assert len(set(made)) == len(made)
    assert {(UUID(text).version, UUID(text).variant) for text in made} == {(4, RFC_4122)}


def test_seeds_are_random() -> None:
    """A seed is 16 bytes that no other run has."""
    ids = SystemIds()
    seeds = {ids.seed() for _ in range(100)}

    assert len(seeds) == 100
    assert {len(seed) for seed in seeds} == {16}


def test_a_forked_process_draws_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was forked off gives none of the ids that its parent gives."""
    ids = SystemIds()
    ids.seed()
    child = copy(ids)
    monkeypatch.setattr("hitl_events.adapters.system.os.getpid", lambda: -1)

    assert child.seed() != ids.seed()
