"""`make bench`, or `python -m benchmarks --only latency --json`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypeAlias

from benchmarks import disk, export, latency, paused, readmodel, replay, throughput
from benchmarks.figures import Figure
from benchmarks.kafka import measure as kafka
from benchmarks.size import FULL, Size
from benchmarks.table import dump, show

Benchmark: TypeAlias = Callable[[Size, Path], list[Figure]]

BENCHMARKS: dict[str, Benchmark] = {
    "throughput": throughput.measure,
    "latency": latency.measure,
    "replay": replay.measure,
    "export": export.measure,
    "paused": paused.measure,
    "disk": disk.measure,
    "readmodel": readmodel.measure,
    "million": paused.measure_million,
    "kafka": kafka.measure,
}
ASKED_FOR = {"million", "kafka"}
"""One takes minutes and 1.5 GB of disk, one needs a broker: only where they are asked for."""


def run(names: list[str], size: Size, place: Path | None = None) -> list[Figure]:
    """The figures of these benchmarks, each in a fresh folder under `place`."""
    figures: list[Figure] = []
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="hitl-bench-", dir=place) as folder:
            figures += BENCHMARKS[name](size, Path(folder))
    return figures


def main() -> None:
    """Measure, print, and exit 0 whatever the figures say: they are read by people."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="The figures, side by side.")
    parser.add_argument("--only", metavar="NAME", action="append", choices=[*BENCHMARKS])
    parser.add_argument("--million", action="store_true", help="also with a million paused runs")
    parser.add_argument(
        "--ended", metavar="RUNS", type=int, help="so many ended runs in the memory row of kafka"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--dir", type=Path, help="where to write (a real disk), else the temporary")
    given = parser.parse_args()
    # what was started, a broker and engines, ends with us
    signal.signal(signal.SIGTERM, _leave)
    asked = set(given.only or [])
    names = [name for name in BENCHMARKS if name in asked or (not asked and name not in ASKED_FOR)]
    if given.million and "million" not in names:
        names.append("million")
    figures = run(names, _size(given.ended), given.dir)
    (dump if given.json else show)(figures)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def _size(ended_runs: int | None) -> Size:
    """The full one, with so many ended runs if that is given."""
    if ended_runs is None:
        return FULL
    few = min(FULL.kafka.ended_runs[0], ended_runs // 2)
    return replace(FULL, kafka=replace(FULL.kafka, ended_runs=(few, ended_runs)))


if __name__ == "__main__":
    main()
