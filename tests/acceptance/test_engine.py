"""`hitl-engine` as a process, around a cluster in memory."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.child import KEY, asked, child
from tests.acceptance.console import RECIPES
from tests.acceptance.waiting import until

ENGINE = str(Path(sys.executable).with_name("hitl-engine"))
SCRIPT = "engine_child.py"
BROKER = "127.0.0.1:1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recipes, and nothing else."""
    (tmp_path / "recipes.py").write_text(RECIPES, encoding="utf-8")
    return tmp_path


def test_an_engine_serves_and_ends(folder: Path) -> None:
    """Ready once its partition is served, metrics by their names, SIGTERM within 10 s."""
    settings = {"HITL_RECIPES": "recipes.py", "HITL_KAFKA_BOOTSTRAP": BROKER}
    with child(folder, SCRIPT, **settings, HITL_METRICS_PORT="0") as engine:
        port = engine.until("metrics.listening")["port"]
        engine.until("partition.served")
        until(lambda: "lag_records{" in asked(port, "/metrics")[1], "the lags were looked at")
        _, metrics = asked(port, "/metrics")
        ready = asked(port, "/readyz")
        live = asked(port, "/livez")
        engine.signal(signal.SIGTERM)

        assert engine.ended(within_s=10) == 0
    assert (ready[0], json.loads(ready[1])["reason"]) == (200, "partitions served: 1")
    assert live[0] == 200
    for sample in (
        'hitl_events_appended_total{type="GatePaused"} 1.0',
        "hitl_gates_open 1.0",
        'hitl_partition_ready{partition="0"} 1.0',
        'hitl_consumer_lag_records{partition="0",topic="hitl.decisions"} 5.0',
        'hitl_runs_total{status="running"} 1.0',
        "hitl_restore_seconds_count 1.0",
    ):
        assert sample in metrics
    assert (folder / ".hitl/state/engine/kept").exists()


def test_an_engine_tells_what_happens_and_no_secret(folder: Path) -> None:
    """Each line is JSON with an event; run and gate are named; draft, token and key are not."""
    settings = {"HITL_RECIPES": "recipes.py", "HITL_KAFKA_BOOTSTRAP": BROKER}
    with child(folder, SCRIPT, **settings) as engine:
        paused = engine.until("run.paused")
        engine.until("partition.served")
        engine.signal(signal.SIGTERM)
        engine.ended(within_s=10)

    assert (paused["run_id"], paused["gate"]) == ("run-1", "review")
    assert all("event" in json.loads(line) for line in engine.said)
    said = "\n".join(engine.said)
    assert "secret" not in said
    assert KEY not in said


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"HITL_RECIPES": "recipes.py"}, "HITL_KAFKA_BOOTSTRAP"),
        ({"HITL_KAFKA_BOOTSTRAP": BROKER}, "HITL_RECIPES"),
        ({"HITL_KAFKA_BOOTSTRAP": "nowhere", "HITL_RECIPES": "recipes.py"}, "HITL_KAFKA_BOOTSTRAP"),
        ({"HITL_KAFKA_BOOTSTRAP": BROKER, "HITL_RECIPES": "no.py"}, "no.py"),
        ({"HITL_KAFKA_BOOTSTRAP": BROKER, "HITL_TOKEN_KEY": ""}, "HITL_TOKEN_KEY"),
        ({"HITL_KAFKA_BOOTSTRAP": BROKER, "HITL_STATE_DIR": "recipes.py"}, "HITL_RECIPES"),
    ],
)
def test_what_is_missing_is_one_line(folder: Path, settings: dict[str, str], named: str) -> None:
    """2, and the name of what to mend."""
    with child(folder, SCRIPT, **settings) as engine:
        assert engine.ended() == 2

    (line,) = engine.said
    assert line.startswith("hitl-engine: expected ")
    assert named in line


def test_a_line_that_cannot_be_understood_is_one_line(folder: Path) -> None:
    """An unknown option: 2, and where to look."""
    done = subprocess.run(
        [ENGINE, "--frobnicate"], cwd=folder, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--frobnicate" in done.stderr
