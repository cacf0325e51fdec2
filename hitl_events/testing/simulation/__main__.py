"""`python -m hitl_events.testing.simulation SEED` tells one world, `--seeds N` tries many."""

from __future__ import annotations

import argparse
import os
import sys

from hitl_events.testing.simulation.play import Report, simulate
from hitl_events.testing.simulation.sweep import sweep


def main() -> int:
    """0 where all promises were kept, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m hitl_events.testing.simulation")
    parser.add_argument("seed", type=int, nargs="?", default=0, help="the (first) seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds from there on")
    asked = parser.parse_args()
    if asked.seeds == 1:
        return _tell(simulate(asked.seed, tell=True))
    seeds = range(asked.seed, asked.seed + asked.seeds)
    broken = list(sweep(seeds, os.cpu_count() or 1))
    for report in broken:
        sys.stdout.write(f"seed {report.seed}: {report.violation}\n")
    sys.stdout.write(f"{asked.seeds} seeds, {len(broken)} broken\n")
    return 1 if broken else 0


def _tell(report: Report) -> int:
    sys.stdout.write("\n".join((*report.history, str(report).splitlines()[0], "")))
    return 0 if report.violation is None else 1


if __name__ == "__main__":
    sys.exit(main())
