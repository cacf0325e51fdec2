"""Fixtures of the PostgreSQL tests; a server starts when the first test asks for it.

`postgres`: the server. `postgres_url`: a schema of it that is the test's own. Where there is no
server on this machine these tests are skipped; HITL_REQUIRE_POSTGRES=1 makes that a failure.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest

from tests.postgres.server import NoPostgres, Server, programs

FIXTURES = frozenset({"postgres", "postgres_url"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server."""
    for item in items:
        if FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("postgres")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for the whole session; a test that kills it starts it again."""
    try:
        server = Server(programs())
    except NoPostgres as missing:
        if os.environ.get("HITL_REQUIRE_POSTGRES") == "1":
            pytest.fail(f"{missing}; HITL_REQUIRE_POSTGRES=1 makes this a failure", pytrace=False)
        pytest.skip(str(missing))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres: Server) -> str:
    """A read model that is not there yet."""
    return f"{postgres.url}?schema=t{secrets.token_hex(5)}"
