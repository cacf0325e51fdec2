"""The benchmark's loops do on a broker what their figures say."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from benchmarks.kafka import measure
from benchmarks.kafka.loops import RAW, Loop, measure_loop
from benchmarks.size import TINY
from tests.kafka.cluster import Cluster
from tests.kafka.jars import NoKafka

GONE_S_MAX = 10.0


@pytest.mark.parametrize("loop", RAW, ids=lambda loop: loop.name)
def test_each_loop_does_the_work(broker: Cluster, prefix: str, loop: Loop) -> None:
    """A loop writes each decision's records once, is measured, ends, and leaves no topic."""
    taken = measure_loop(TINY.kafka, broker.bootstrap, loop, prefix)

    assert math.isfinite(taken.decided_per_s)
    assert len(taken.idle_s) == TINY.kafka.idle_decisions
    assert _gone(broker, prefix)


@pytest.mark.slow
def test_the_engines_do_the_work_beside_the_loops(
    broker: Cluster, prefix: str, tmp_path: Path
) -> None:
    """Figures are sane and named once, ratios stand where they should, no topic is left."""
    figures = measure.measure_on(TINY.kafka, broker.bootstrap, tmp_path, prefix)

    assert all(math.isfinite(figure.value) and figure.unit for figure in figures)
    assert all((figure.met is None) == (figure.target == "") for figure in figures)
    assert len({figure.name for figure in figures}) == len(figures)
    assert sum(figure.ratio is not None for figure in figures) == 10
    assert _gone(broker, prefix)


def test_without_a_broker_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no broker can be had there are no figures, and one line says why."""

    def find() -> None:
        raise NoKafka("expected Java, found none")

    monkeypatch.delenv("HITL_KAFKA_BOOTSTRAP", raising=False)
    monkeypatch.setattr(measure, "find", find)

    assert measure.measure(TINY, tmp_path) == []
    assert capsys.readouterr().err == "no figures of kafka: expected Java, found none\n"


def _gone(broker: Cluster, prefix: str) -> bool:
    """Whether the topics of the prefix go: the broker says so a little after it has done it."""
    admin = broker.client().admin
    end_s = time.monotonic() + GONE_S_MAX
    while any(name.startswith(prefix) for name in admin.topics()):
        if time.monotonic() > end_s:
            return False
    return True
