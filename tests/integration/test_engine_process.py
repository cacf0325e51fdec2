"""`hitl-engine` as a process on a broker: what its port and its log say, through a kill."""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.acceptance.child import Child, asked, process
from tests.acceptance.console import Console
from tests.acceptance.waiting import until
from tests.integration.engine import unclean

ENGINE = [sys.executable, "-W", "error", str(Path(sys.executable).with_name("hitl-engine"))]
PARTITIONS = 3


@pytest.fixture
def console(bare: Console) -> Console:
    """A folder with recipes whose commands work on fresh topics of the cluster."""
    bare.environment |= {"HITL_GROUP_INSTANCE_ID": "engine-1", "HITL_METRICS_PORT": "0"}
    bare.json("topics", "create", "--partitions", str(PARTITIONS))
    return bare


def serving(engine: Child) -> int:
    """Its port, once it serves all partitions."""
    port = int(engine.until("metrics.listening")["port"])
    for _ in range(PARTITIONS):
        engine.until("partition.served")
    return port


def sampled(port: int, sample: str) -> set[float]:
    """The values of a metric, whatever its labels."""
    found = re.findall(rf"^{sample}(?:\{{.*\}})? (\S+)$", asked(port, "/metrics")[1], re.MULTILINE)
    return set(map(float, found))


def settings(console: Console, state: str) -> dict[str, str]:
    named = {key: text for key, text in console.environment.items() if key.startswith("HITL_")}
    return {**named, "HITL_RECIPES": str(console.recipes), "HITL_STATE_DIR": state}


def test_the_metrics_of_a_partition_outlive_its_engine(console: Console) -> None:
    """Open gates are counted again after kill -9, with nothing but the log; lags are there."""
    with process(console.folder, ENGINE, **settings(console, "first")) as engine:
        port = serving(engine)
        paused = console.json("run", "policy", "--run-id", "r", "--input", '{"title": "t"}')
        assert sampled(port, "hitl_gates_open") == {1}
        until(lambda: sampled(port, "hitl_consumer_lag_records") == {0}, "all is settled")
        assert sampled(port, "hitl_partition_ready") == {1}
        assert asked(port, "/readyz")[0] == 200
        engine.kill()

    with process(console.folder, ENGINE, **settings(console, "second")) as engine:
        port = serving(engine)
        assert sampled(port, "hitl_gates_open") == {1}
        assert console.json("decide", paused["token"], "approve")["status"] == "ok"
        assert sampled(port, "hitl_gates_open") == {0}
        engine.signal(signal.SIGTERM)

        assert engine.ended(within_s=10) == 0
    assert unclean(engine.said) == []
    lines = [json.loads(line) for line in engine.said]
    assert {"run_id": "r", "gate": "review"}.items() <= _named(lines, "decision.received").items()
    assert paused["token"] not in "\n".join(engine.said)


def _named(lines: list[dict[str, object]], name: str) -> dict[str, object]:
    return next(line for line in lines if line["event"] == name)


def test_without_a_broker_it_ends_with_5(console: Console) -> None:
    """One line for people that says what is missing, in the time that it has to try."""
    environment = {**settings(console, "state"), "HITL_KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    with process(console.folder, ENGINE, **environment) as engine:
        assert engine.ended() == 5

    (line,) = (line for line in engine.said if not line.startswith("{"))
    assert line.startswith("hitl-engine: expected ")
