"""Consoles, and engines, on a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.acceptance.child import KEY
from tests.acceptance.console import Console
from tests.integration.engines import World, world_of
from tests.integration.kafka_made import made, settings_of
from tests.integration.stand_in import Played, played
from tests.kafka.cluster import Cluster

PARTITIONS = 3


@pytest.fixture
def world(broker: Cluster, prefix: str, tmp_path: Path) -> Generator[World]:
    """Topics, and no process yet."""
    with world_of(broker, prefix, tmp_path) as begun:
        yield begun


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Played]:
    """Three runs, in the order of their start; their keys belong to different partitions."""
    return played(Console(tmp_path_factory.mktemp("recipes")).recipes, "r-1", "a-2", "z-3")


@pytest.fixture
def bare(tmp_path: Path, broker: Cluster, prefix: str) -> Console:
    """A folder whose commands look for topics on the cluster that are not there."""
    console = Console(tmp_path)
    console.environment |= {
        "HITL_KAFKA_BOOTSTRAP": broker.bootstrap,
        "HITL_TOPIC_PREFIX": prefix,
        "HITL_TOKEN_KEY": KEY,
    }
    return console


@pytest.fixture
def console(bare: Console, broker: Cluster, prefix: str) -> Iterator[Console]:
    """One whose topics are there."""
    asyncio.run(made(settings_of(broker, prefix), PARTITIONS))
    yield bare
    assert not bare.data.exists()
