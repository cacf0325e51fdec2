"""Throughput and idle latency on a broker of this machine, of loops that all do the same work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure, percentile
from benchmarks.kafka.load import Topics, create, drained_s, fill, idle_s
from benchmarks.size import Size
from hitl_events.domain.values import value
from tests.kafka.client import Client
from tests.kafka.cluster import open_cluster
from tests.kafka.program import find

END_S_MAX = 30.0


@value
class Loop:
    """A way to do the work: `options` of the raw loop, on so many partitions."""

    name: str
    partitions: int
    options: tuple[str, ...]


RAW = (
    Loop(name="raw loop, 1 partition, send, 500 a batch", partitions=1, options=("--batch=500",)),
    Loop(name="raw loop, 4 partitions, send, 500 a batch", partitions=4, options=("--batch=500",)),
    Loop(
        name="raw loop, 4 partitions, send_batch, 2,000 a batch",
        partitions=4,
        options=("--batch=2000", "--send-batch"),
    ),
)


@value
class Taken:
    """What one loop did in one round: decisions a second, and sorted seconds of idle ones."""

    loop: Loop
    rate: float
    idle: list[float]


def measure(size: Size, folder: Path) -> list[Figure]:
    """Every loop in every round, so that they share the machine's good and bad minutes."""
    cluster = open_cluster(find(), folder / "kafka")
    try:
        taken = [
            measure_loop(size, cluster.bootstrap, loop, f"b{turn}-{number}")
            for turn in range(size.kafka_rounds)
            for number, loop in enumerate(RAW)
        ]
    finally:
        cluster.stop()
    return [figure for loop in RAW for figure in _figures(loop, taken)]


def measure_loop(size: Size, bootstrap: str, loop: Loop, prefix: str) -> Taken:
    """A backlog first, then one decision after the other; the topics go afterwards."""
    client = Client(bootstrap)
    topics = Topics(
        inbound=f"{prefix}.decisions", events=f"{prefix}.events", partitions=loop.partitions
    )
    create(client, topics)
    fill(client, topics, size.kafka_decisions)
    with _running(bootstrap, topics, loop) as process, client.reader(topics.events) as reader:
        _go(process)
        taken_s = drained_s(reader, size.kafka_decisions, lambda: process.poll() is not None)
        rate = size.kafka_decisions / taken_s
        idle = sorted(idle_s(client, reader, topics, size.kafka_idle_decisions))
    client.admin.delete_topic(topics.inbound)
    client.admin.delete_topic(topics.events)
    return Taken(loop=loop, rate=rate, idle=idle)


def _figures(loop: Loop, taken: list[Taken]) -> list[Figure]:
    mine = [each for each in taken if each.loop is loop]
    rates = [each.rate for each in mine]
    figures = [
        Figure(
            name=f"{loop.name}, backlog",
            value=max(rates),
            median=median(rates),
            unit="decisions/s",
        )
    ]
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        idle_ms = [percentile(each.idle, share) * 1e3 for each in mine]
        figures.append(
            Figure(
                name=f"{loop.name}, idle {name}",
                value=min(idle_ms),
                median=median(idle_ms),
                unit="ms",
            )
        )
    return figures


@contextmanager
def _running(bootstrap: str, topics: Topics, loop: Loop) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.kafka.raw_loop", bootstrap, topics.inbound]
    command += [topics.events, f"--partitions={topics.partitions}", *loop.options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        if said != "ready\n":
            raise RuntimeError(f"expected the loop to be ready, found {said!r}")
        yield process
        process.communicate(timeout=END_S_MAX)


def _go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
