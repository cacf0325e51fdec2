"""The raw loops beside which the engine is measured: what aiokafka does with no gate around it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

from benchmarks.kafka.load import Topics, create, drained_s, fill, idle_s
from benchmarks.kafka.sight import Sight
from benchmarks.size import KafkaSize
from hitl_events.domain.values import value
from tests.kafka.client import Client

END_S_MAX = 30.0
PARTITIONS = 4


@value
class Loop:
    """A way to do the work: `options` of the raw loop."""

    name: str
    options: tuple[str, ...]


LIMIT = Loop(name="raw loop, send, 500 a batch", options=("--batch=500",))
"""What the engine is compared to: records sent one by one, as the client is meant to be used."""
RAW = (
    LIMIT,
    Loop(name="raw loop, send_batch, 2,000 a batch", options=("--batch=2000", "--send-batch")),
)


@value
class LoopTaken:
    """What one loop did in one round: decisions a second, and sorted seconds of idle ones."""

    loop: Loop
    decided_per_s: float
    idle_s: list[float]


def measure_loop(size: KafkaSize, bootstrap: str, loop: Loop, prefix: str) -> LoopTaken:
    """A backlog first, then one decision after the other; the topics go afterwards."""
    client = Client(bootstrap)
    topics = Topics(inbound=f"{prefix}.decisions", events=f"{prefix}.events", partitions=PARTITIONS)
    create(client, topics)
    fill(client, topics, size.decisions)
    with _running(bootstrap, topics, loop) as process:

        def alive() -> bool:
            return process.poll() is None

        with Sight(bootstrap, topics.events, alive, in_pieces=True) as sight:
            _go(process)
            taken_s = drained_s(sight, size.decisions)
        with Sight(bootstrap, topics.events, alive) as sight:
            idle = sorted(idle_s(client, sight, topics, size.idle_decisions))
    client.admin.delete_topic(topics.inbound)
    client.admin.delete_topic(topics.events)
    return LoopTaken(loop=loop, decided_per_s=size.decisions / taken_s, idle_s=idle)


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
