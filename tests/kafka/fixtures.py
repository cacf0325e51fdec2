"""Fixtures of the Kafka tests; a broker starts when the first test asks for it.

`broker`: one node, or the cluster that HITL_KAFKA_BOOTSTRAP names. `three_nodes`: three, of our
own. `secured`: one, of our own, with logins, rights and a TLS listener. `prefix`: names of a test.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest

from tests.kafka import program
from tests.kafka.cluster import Cluster, open_cluster
from tests.kafka.jars import NoKafka

CLUSTERS = frozenset({"broker", "three_nodes", "secured"})
TEST_S_MAX = 300
"""A test may be the first, which fetches the jars and starts a cluster."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a broker."""
    for item in items:
        if CLUSTERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("kafka")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TEST_S_MAX))


@pytest.fixture(scope="session")
def kafka_program() -> program.Program:
    """Kafka's program on this machine; without one the tests that need it are skipped or fail."""
    try:
        return program.find()
    except NoKafka as missing:
        if os.environ.get("HITL_REQUIRE_KAFKA") == "1":
            pytest.fail(f"{missing}; HITL_REQUIRE_KAFKA=1 makes this a failure", pytrace=False)
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """One node for the whole session; a test that kills it starts it again."""
    named = os.environ.get("HITL_KAFKA_BOOTSTRAP")
    if named:
        yield Cluster(named)
        return
    yield from _opened(request, nodes=1)


@pytest.fixture(scope="session")
def three_nodes(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Three nodes of our own; topics have three replicas, two of which hold every record."""
    yield from _opened(request, nodes=3)


@pytest.fixture(scope="session")
def secured(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """One node with SASL, TLS and rights; `secured.client()` is the admin."""
    yield from _opened(request, nodes=1, secured=True)


@pytest.fixture
def prefix() -> str:
    """Begins the names of one test's topics, groups and transactional ids."""
    return f"t{secrets.token_hex(5)}"


def _opened(
    request: pytest.FixtureRequest, *, nodes: int, secured: bool = False
) -> Iterator[Cluster]:
    found: program.Program = request.getfixturevalue("kafka_program")
    folders: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    cluster = open_cluster(found, folders.mktemp("kafka"), nodes=nodes, secured=secured)
    try:
        yield cluster
    finally:
        cluster.stop()
