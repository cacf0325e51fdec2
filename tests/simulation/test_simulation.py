"""Seeded worlds: crashes, duplicates, races and changed code, and every promise checked."""

import os
import subprocess
import sys

import pytest

from hitl_events.testing.simulation import simulate, sweep

SEEDS = int(os.environ.get("HITL_SIM_SEEDS", "10000"))
"""100,000 for the long loop: HITL_SIM_SEEDS=100000 make test ARGS=tests/simulation."""


@pytest.mark.slow
@pytest.mark.timeout(max(900, SEEDS // 10))
def test_no_world_breaks_a_promise() -> None:
    """P1 to P12 hold in every world, and every run that can end does."""
    broken = next(sweep(range(SEEDS), os.cpu_count() or 1), None)

    assert broken is None, str(broken)


def test_a_seed_is_one_world() -> None:
    """The same seed tells the same story, to the last line, in another process too."""
    told = simulate(4711, tell=True)

    command = [sys.executable, "-m", "hitl_events.testing.simulation", "4711"]
    other = subprocess.run(command, capture_output=True, text=True, check=True)

    assert other.stdout.splitlines() == [*told.history, str(told)]
    assert told.events > 10


def test_a_sweep_finds_nothing_and_says_so() -> None:
    """The command for many seeds tells how many worlds were broken."""
    command = [sys.executable, "-m", "hitl_events.testing.simulation", "0", "--seeds", "20"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)

    assert found.stdout == "20 seeds, 0 broken\n"
