"""Consoles on a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.console import Console
from tests.integration.kafka_made import made, settings_of
from tests.integration.stand_in import (
    KEY,
)
from tests.kafka.cluster import Cluster

PARTITIONS = 3


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
