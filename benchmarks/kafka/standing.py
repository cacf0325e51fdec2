"""What runs cost that wait or have ended: memory, and time until a new owner decides."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure
from benchmarks.kafka.engines import PARTITIONS, Engines, engines_of
from benchmarks.kafka.runs import Gate, Runs, is_completed
from benchmarks.kafka.sight import Sight
from benchmarks.size import KafkaSize
from hitl_events.domain.values import value

RSS_MB = 100
RESTART_S = 2.0
GROWTH_MB = 5.0
"""What an allocator may keep of a hundred thousand runs that it has forgotten."""


@value
class Taken:
    """Seconds from a SIGKILL to the end of the first decided run, and to one in each partition."""

    first_s: float
    all_s: float


def measure_paused(size: KafkaSize, bootstrap: str, prefix: str, folder: Path) -> list[Figure]:
    """Kill an engine with paused runs; it comes back, then a standby takes over."""
    with engines_of(bootstrap, prefix, folder, size.session_s) as engines:
        engines.serve("one")
        runs = Runs(bootstrap, prefix, engines.alive)
        gates = _by_partition(runs.paused(size.paused_runs))
        loaded_mb = engines.rss_mb("one")
        back = [_back(engines, runs, [of.pop() for of in gates]) for _ in range(size.kills)]
        engines.serve()
        restored_mb = engines.rss_mb("one")
        engines.serve("two")
        over = _over(engines, runs, [of.pop() for of in gates])
    paused = f"{size.paused_runs:,} paused"
    restart, standby = f"kill -9 with {paused}", f"standby, session {size.session_s} s"
    return [
        _rss(f"engine, memory with {paused}", loaded_mb),
        _rss(f"engine restarted, memory with {paused}", restored_mb),
        _seconds(f"{restart}, to first decision", [each.first_s for each in back], RESTART_S),
        _seconds(f"{restart}, to one in each partition", [each.all_s for each in back]),
        _seconds(f"{restart}, {standby}", [over.all_s], size.session_s + RESTART_S),
    ]


def measure_ended(size: KafkaSize, bootstrap: str, prefix: str, folder: Path) -> list[Figure]:
    """The memory of one process after some runs have ended, and after many."""
    few, many = size.ended_runs
    with engines_of(bootstrap, prefix, folder) as engines:
        engines.serve("one")
        runs = Runs(bootstrap, prefix, engines.alive)
        runs.finish(few)
        before_mb = engines.rss_mb("one")
        runs.finish(many - few)
        after_mb = engines.rss_mb("one")
        engines.kill("one")
        engines.serve("one")
        fresh_mb = engines.rss_mb("one")
    grown_mb = after_mb - before_mb
    return [
        Figure(name=f"engine, memory with {few:,} ended", value=before_mb, unit="MB"),
        Figure(
            name=f"engine, memory that {few:,} -> {many:,} ended added",
            value=grown_mb,
            unit="MB",
            target=f"{GROWTH_MB:g} MB",
            met=grown_mb <= GROWTH_MB,
        ),
        Figure(name=f"engine restarted, memory with {many:,} ended", value=fresh_mb, unit="MB"),
    ]


def _by_partition(gates: Sequence[Gate]) -> list[list[Gate]]:
    return [[gate for gate in gates if gate.partition == number] for number in range(PARTITIONS)]


def _back(engines: Engines, runs: Runs, gates: Sequence[Gate]) -> Taken:
    """The engine is killed and at once started again, as a supervisor does it."""
    with runs.sight() as sight:
        began_s = time.perf_counter()
        engines.kill("one")
        engines.begin("one")
        return _decided(runs, gates, sight, began_s)


def _over(engines: Engines, runs: Runs, gates: Sequence[Gate]) -> Taken:
    """The engine is killed and stays away: its partitions go to the other one."""
    with runs.sight() as sight:
        began_s = time.perf_counter()
        engines.kill("one")
        return _decided(runs, gates, sight, began_s)


def _decided(runs: Runs, gates: Sequence[Gate], sight: Sight, began_s: float) -> Taken:
    runs.decide(gates)
    found = len(sight.until(1, is_completed))
    first_s = time.perf_counter() - began_s
    sight.until(len(gates) - found, is_completed)
    return Taken(first_s=first_s, all_s=time.perf_counter() - began_s)


def _rss(name: str, found_mb: float) -> Figure:
    met = found_mb <= RSS_MB
    return Figure(name=name, value=found_mb, unit="MB", target=f"{RSS_MB} MB", met=met)


def _seconds(name: str, found_s: Sequence[float], target_s: float | None = None) -> Figure:
    """The best and the median of some kills, judged by the median."""
    middle_s = median(found_s)
    return Figure(
        name=name,
        value=min(found_s),
        median=middle_s,
        unit="s",
        target="" if target_s is None else f"{target_s:g} s",
        met=None if target_s is None else middle_s <= target_s,
    )
