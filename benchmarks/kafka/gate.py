"""The engine at its work: a backlog of starts, one of decisions, then decisions one by one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.kafka.engines import engines_of
from benchmarks.kafka.load import IDLE_S
from benchmarks.kafka.runs import (
    RECIPE,
    SHORT,
    Gate,
    Runs,
    checked,
    gates_of,
    is_completed,
    is_paused,
    produce,
)
from benchmarks.size import KafkaSize
from hitl_events.domain.values import value

NAMES = ("one", "two")


@value
class GateTaken:
    """What so many engines did in one round: runs a second; by recipe sorted idle seconds."""

    engines: int
    paused_per_s: float
    decided_per_s: float
    idle_s: dict[str, list[float]]


def measure_gate(
    size: KafkaSize, bootstrap: str, prefix: str, folder: Path, engines: int
) -> GateTaken:
    """The runs that are decided last are started first: with them the engines get warm.

    Idle decisions go to one engine only: to each of two they would mean the same.
    """
    with engines_of(bootstrap, prefix, folder) as group:
        group.serve(*NAMES[:engines])
        runs = Runs(bootstrap, prefix, group.alive)
        kept = {recipe: runs.paused(size.idle_decisions, recipe) for recipe in (RECIPE, SHORT)}
        with runs.sight(in_pieces=True) as sight:
            with group.frozen():
                runs.start(size.runs)
            began_s = time.perf_counter()
            paused = sight.until(size.runs, is_paused)
            paused_s = time.perf_counter() - began_s
            gates = gates_of(paused)
            with group.frozen():
                runs.decide(gates)
            began_s = time.perf_counter()
            completed = sight.until(size.runs, is_completed)
            decided_s = time.perf_counter() - began_s
            checked(gates, completed)
        return GateTaken(
            engines=engines,
            paused_per_s=size.runs / paused_s,
            decided_per_s=size.runs / decided_s,
            idle_s={
                recipe: sorted(_idle_s(runs, its)) if engines == 1 else []
                for recipe, its in kept.items()
            },
        )


def _idle_s(runs: Runs, gates: Sequence[Gate]) -> list[float]:
    """Seconds of each decision from its publication until the end of its run is seen committed."""
    taken: list[float] = []
    with runs.sight() as sight, runs.client.producer(linger_ms=0) as producer:
        for gate in gates:
            # sleep: the idleness is what is measured
            time.sleep(IDLE_S)
            began_s = produce(producer, runs.decision(gate))
            completed = sight.until(1, is_completed)
            taken.append(time.perf_counter() - began_s)
            checked([gate], completed)
    return taken
