"""Seeded clusters: partitions move, processes die, brokers fail; every run ends, and once."""

import asyncio
import os
from collections.abc import Callable

import pytest

from hitl_events.clustered.benches import Benches
from hitl_events.runtime.bench import Bench
from tests.simulation.cluster.world import play

WORLDS = int(os.environ.get("HITL_SIM_CLUSTERS", "40"))
"""The long loop: HITL_SIM_CLUSTERS=2000 make test ARGS=tests/simulation/test_clusters.py."""
PARTS = 4

Patching = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.slow
@pytest.mark.timeout(120 + 3 * WORLDS)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_run_of_every_cluster_ends(part: int) -> None:
    """With the effect of its last step there once, whatever befell those who drove it."""
    found = {seed: wrong for seed in range(part, WORLDS, PARTS) if (wrong := play(seed))}

    assert found == {}


def second_ends(patch: pytest.MonkeyPatch) -> None:
    """Whoever fails to take a partition over lets its steps end later, and sooner as well."""

    def left(self: Benches, partition: int) -> None:
        if partition in self._benches:
            asyncio.get_running_loop().call_later(60, self._close, partition)

    patch.setattr(Benches, "left", left)


def steps_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Who comes back to a partition does not hear of the steps that run there."""
    take = Bench.take

    def deaf(self: Bench, *_: object) -> object:
        take(self, lambda _: None)
        return {}

    patch.setattr(Bench, "take", deaf)


@pytest.mark.parametrize("mistake", [second_ends, steps_forgotten])
def test_a_mistake_is_found(mistake: Patching, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them, within a few worlds."""
    mistake(monkeypatch)

    assert any(play(seed) for seed in range(40))
