"""How much each benchmark does; the test runs all of them with next to nothing."""

from __future__ import annotations

from hitl_events.domain.values import value


@value
class Size:
    """Counts. More runs in a round than the engine keeps in memory, or nothing is read back."""

    runs_by_concurrency: dict[int, int]
    rounds: int
    raw_commits: int
    idle_decisions: int
    replayed_runs: int
    paused_runs: int
    disk_runs: int
    kafka_decisions: int
    kafka_idle_decisions: int
    kafka_rounds: int


FULL = Size(
    runs_by_concurrency={1: 1_024, 64: 2_048, 512: 4_096},
    rounds=7,
    raw_commits=60,
    idle_decisions=500,
    replayed_runs=20_000,
    paused_runs=10_000,
    disk_runs=5_000,
    kafka_decisions=40_000,
    kafka_idle_decisions=300,
    kafka_rounds=3,
)
TINY = Size(
    runs_by_concurrency={1: 2, 4: 8},
    rounds=2,
    raw_commits=2,
    idle_decisions=5,
    replayed_runs=20,
    paused_runs=20,
    disk_runs=20,
    kafka_decisions=40,
    kafka_idle_decisions=5,
    kafka_rounds=1,
)
