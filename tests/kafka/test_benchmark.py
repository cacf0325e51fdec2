"""The benchmark's loops do on a broker what their figures say."""

from __future__ import annotations

import math

import pytest

from benchmarks.kafka.measure import RAW, Loop, measure_loop
from benchmarks.size import TINY
from tests.kafka.cluster import Cluster


@pytest.mark.parametrize("loop", RAW, ids=lambda loop: loop.name)
def test_each_loop_does_the_work(broker: Cluster, prefix: str, loop: Loop) -> None:
    """A loop writes each decision's records once, is measured, ends, and leaves no topic."""
    taken = measure_loop(TINY, broker.bootstrap, loop, prefix)

    assert math.isfinite(taken.rate)
    assert len(taken.idle) == TINY.kafka_idle_decisions
    assert [name for name in broker.client().admin.topics() if name.startswith(prefix)] == []
