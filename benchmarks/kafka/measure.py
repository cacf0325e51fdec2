"""The engine on a broker of this machine, in the same rounds as loops that have no gate."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.figures import Baseline, Figure, percentile, rate
from benchmarks.kafka.gate import GateTaken, measure_gate
from benchmarks.kafka.loops import LIMIT, RAW, LoopTaken, measure_loop
from benchmarks.kafka.poisoned import measure_poison
from benchmarks.kafka.runs import RECIPE, SHORT
from benchmarks.kafka.standing import measure_ended, measure_paused
from benchmarks.size import KafkaSize, Size
from tests.kafka.cluster import Cluster, open_cluster
from tests.kafka.jars import NoKafka
from tests.kafka.program import find

ENGINES = (1, 2)
PER_S = 10_000
SHARE_OF_RAW = 0.4
P50_OVER_MS = 2.0
P99_MS = 20.0
IDLE = {
    RECIPE: "1 engine, idle decision->done, two transactions",
    SHORT: "1 engine, idle decision->done, one transaction",
}


def measure(size: Size, folder: Path) -> list[Figure]:
    """All figures; none, and a line that says why, where no broker can be had."""
    try:
        with _cluster(folder / "kafka") as cluster:
            return measure_on(size.kafka, cluster.bootstrap, folder)
    except NoKafka as missing:
        print(f"no figures of kafka: {missing}", file=sys.stderr)
        return []


def measure_on(size: KafkaSize, bootstrap: str, folder: Path, prefix: str = "b") -> list[Figure]:
    """Loops and engines in every round, so that they share the machine's good and bad minutes."""
    loops: list[LoopTaken] = []
    gates: list[GateTaken] = []
    for turn in range(size.rounds):
        for number, loop in enumerate(RAW):
            _tell(f"round {turn + 1}, {loop.name}")
            loops.append(measure_loop(size, bootstrap, loop, f"{prefix}{turn}-raw{number}"))
        for engines in ENGINES:
            _tell(f"round {turn + 1}, {_engines(engines)}")
            name = f"{prefix}{turn}-{engines}"
            gates.append(measure_gate(size, bootstrap, name, folder / name, engines))
    figures = _speed(loops, gates)
    for name, rest in (
        ("paused", measure_paused),
        ("ended", measure_ended),
        ("poison", measure_poison),
    ):
        _tell(name)
        figures += rest(size, bootstrap, f"{prefix}-{name}", folder / name)
    return figures


def _tell(what: str) -> None:
    print(f"  {what} ...", file=sys.stderr, flush=True)


def _engines(count: int) -> str:
    return "1 engine" if count == 1 else f"{count} engines"


@contextmanager
def _cluster(folder: Path) -> Generator[Cluster]:
    """The one that the environment names, else one node of our own."""
    named = os.environ.get("HITL_KAFKA_BOOTSTRAP")
    if named:
        yield Cluster(named)
        return
    cluster = open_cluster(find(), folder)
    try:
        yield cluster
    finally:
        cluster.stop()


def _speed(loops: Sequence[LoopTaken], gates: Sequence[GateTaken]) -> list[Figure]:
    limits = [taken for taken in loops if taken.loop is LIMIT]
    figures: list[Figure] = []
    for engines in ENGINES:
        figures += _rates([taken for taken in gates if taken.engines == engines], limits)
    for recipe in IDLE:
        figures += _idle([taken for taken in gates if taken.engines == 1], limits, recipe)
    for loop in RAW:
        figures += _loop(loop.name, [taken for taken in loops if taken.loop is loop])
    return figures


def _rates(mine: Sequence[GateTaken], limits: Sequence[LoopTaken]) -> list[Figure]:
    """The ratio is of runs to the decisions that the raw loop took in the same round."""
    raw = [taken.decided_per_s for taken in limits]
    engines = _engines(mine[0].engines)
    found = [
        rate(f"{engines}, start->paused", [each.paused_per_s for each in mine], raw, "runs/s"),
        rate(f"{engines}, decision->done", [each.decided_per_s for each in mine], raw, "runs/s"),
    ]
    return [_judged(figure) for figure in found]


def _judged(figure: Figure) -> Figure:
    assert figure.ratio is not None
    assert figure.baseline is not None
    met = figure.value >= PER_S or figure.ratio >= SHARE_OF_RAW
    baseline = replace(figure.baseline, unit="decisions/s")
    target = f"{PER_S:,} or ratio {SHARE_OF_RAW}"
    return replace(figure, baseline=baseline, target=target, met=met)


def _idle(mine: Sequence[GateTaken], limits: Sequence[LoopTaken], recipe: str) -> list[Figure]:
    """Judged by the medians over the rounds, p50 by that of its differences to the raw loop's."""
    figures: list[Figure] = []
    for name, share in (("p50", 0.50), ("p99", 0.99)):
        ours = [percentile(each.idle_s[recipe], share) * 1e3 for each in mine]
        raw = [percentile(each.idle_s, share) * 1e3 for each in limits]
        over = median(each - its for each, its in zip(ours, raw, strict=True))
        figures.append(
            Figure(
                name=f"{IDLE[recipe]}, {name}",
                value=min(ours),
                median=median(ours),
                unit="ms",
                baseline=Baseline(name="raw loop", value=min(raw), unit="ms"),
                ratio=median(each / its for each, its in zip(ours, raw, strict=True)),
                target=f"raw + {P50_OVER_MS:g} ms" if name == "p50" else f"{P99_MS:g} ms",
                met=over <= P50_OVER_MS if name == "p50" else median(ours) <= P99_MS,
            )
        )
    return figures


def _loop(name: str, taken: Sequence[LoopTaken]) -> list[Figure]:
    rates = [each.decided_per_s for each in taken]
    figures = [Figure(name=name, value=max(rates), median=median(rates), unit="decisions/s")]
    for which, share in (("p50", 0.5), ("p99", 0.99)):
        idle = [percentile(each.idle_s, share) * 1e3 for each in taken]
        figures.append(
            Figure(name=f"{name}, idle {which}", value=min(idle), median=median(idle), unit="ms")
        )
    return figures
