"""What paused runs cost: memory, and the time from a new process to its first decision."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from benchmarks.bulk import fill, samples
from benchmarks.figures import Figure
from benchmarks.size import Size

PER_10K_MB = 10
RESTART_S = 0.3
MILLION = 1_000_000
MILLION_RESTART_S = 3.0
MILLION_MB = 1_000
_MB = 1e6
_ROOT = Path(__file__).parents[1]


def measure(size: Size, folder: Path) -> list[Figure]:
    """Pause runs in a fresh process, kill it, and decide in another one."""
    runs = size.paused_runs
    grown, token = _pause_and_kill(folder / "data", runs)
    restarted = _child("restart", str(folder / "data"), token)
    per_10k_mb = grown / _MB * 10_000 / runs
    return [
        _memory(f"memory for {runs:,} paused, per 10k", per_10k_mb, PER_10K_MB),
        _restart(runs, restarted["seconds"], RESTART_S),
    ]


def measure_million(_size: Size, folder: Path) -> list[Figure]:
    """The same with a log of a million paused runs, written in bulk."""
    told = samples(folder / "sample", count=64, done=False)
    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("writing a million paused runs", total=MILLION)
        token = fill(
            folder / "data", told, MILLION, lambda runs: shown.update(task, completed=runs)
        )
    restarted = _child("restart", str(folder / "data"), token)
    return [
        _memory("memory with 1,000,000 paused", restarted["rss"] / _MB, MILLION_MB),
        _restart(MILLION, restarted["seconds"], MILLION_RESTART_S),
    ]


def _memory(name: str, found_mb: float, target_mb: float) -> Figure:
    met = found_mb <= target_mb
    return Figure(name=name, value=found_mb, unit="MB", target=f"{target_mb:,} MB", met=met)


def _restart(runs: int, found_s: float, target_s: float) -> Figure:
    return Figure(
        name=f"restart with {runs:,} paused, to the first decision",
        value=found_s,
        unit="s",
        target=f"{target_s:g} s",
        met=found_s <= target_s,
    )


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.child", *arguments]


def _pause_and_kill(data: Path, runs: int) -> tuple[int, str]:
    """The bytes by which a process grew that paused so many runs, and one of their tokens."""
    command = _command("pause", str(data), str(runs))
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told: dict[str, Any] = json.loads(child.stdout.readline())
        child.kill()
    return told["grown"], told["token"]


def _child(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(_command(*arguments), cwd=_ROOT, stdout=subprocess.PIPE, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told
