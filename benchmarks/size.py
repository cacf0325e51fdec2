"""How much each benchmark does; the test runs all of them with next to nothing."""

from __future__ import annotations

from hitl_events.domain.values import value


@value
class KafkaSize:
    """Counts, a rate of decisions, and the session time-out of engines that are killed."""

    rounds: int
    decisions: int
    runs: int
    idle_decisions: int
    paused_runs: int
    kills: int
    session_s: int
    ended_runs: tuple[int, int]
    streamed_decisions: int
    streamed_per_s: int


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
    projected_runs: int
    asked_runs: int
    asked: int
    kafka: KafkaSize


FULL = Size(
    runs_by_concurrency={1: 1_024, 64: 2_048, 512: 4_096},
    rounds=7,
    raw_commits=60,
    idle_decisions=500,
    replayed_runs=20_000,
    paused_runs=10_000,
    disk_runs=5_000,
    projected_runs=10_000,
    asked_runs=100_000,
    asked=2_000,
    kafka=KafkaSize(
        rounds=3,
        decisions=30_000,
        runs=12_000,
        idle_decisions=150,
        paused_runs=10_000,
        kills=3,
        session_s=3,
        ended_runs=(10_000, 30_000),
        streamed_decisions=800,
        streamed_per_s=300,
    ),
)
TINY = Size(
    runs_by_concurrency={1: 2, 4: 8},
    rounds=2,
    raw_commits=2,
    idle_decisions=5,
    replayed_runs=20,
    paused_runs=20,
    disk_runs=20,
    projected_runs=20,
    asked_runs=20,
    asked=5,
    kafka=KafkaSize(
        rounds=1,
        decisions=40,
        runs=40,
        idle_decisions=5,
        paused_runs=40,
        kills=1,
        session_s=1,
        ended_runs=(20, 40),
        streamed_decisions=20,
        streamed_per_s=200,
    ),
)
