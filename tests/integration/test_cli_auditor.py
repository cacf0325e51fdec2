"""A release check on a secured cluster: with the right to read events, and no other."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hitl_events.adapters.kafka.acls import acls
from hitl_events.adapters.kafka.topics import Topics
from tests.acceptance.console import Console
from tests.integration.kafka_made import made, settings_of
from tests.integration.stand_in import PAUSED, played
from tests.integration.test_kafka_security import until_allowed, user_with
from tests.kafka.cluster import Cluster


@pytest.fixture
def auditor(tmp_path: Path, secured: Cluster, prefix: str) -> Console:
    """A folder whose commands log in as somebody who may read the events; one run is paused."""
    console = Console(tmp_path)
    settings = settings_of(secured, prefix)
    asyncio.run(made(settings))
    needed = acls("auditor", Topics(prefix), settings.group)
    user = user_with(secured, prefix, needed)
    asyncio.run(until_allowed(settings_of(secured, prefix, user), needed))
    (run,) = played(console.recipes, "r-1")
    secured.client().publish(*run.events(prefix, 0, PAUSED))
    console.environment |= {
        "HITL_KAFKA_BOOTSTRAP": secured.bootstrap,
        "HITL_TOPIC_PREFIX": prefix,
        "HITL_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "HITL_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "HITL_KAFKA_SASL_USERNAME": user.name,
        "HITL_KAFKA_SASL_PASSWORD": user.password,
    }
    return console


def test_the_right_to_read_events_is_enough_to_check_a_release(auditor: Console) -> None:
    """`replay`, `verify`, `export`, `audit` and `show` need no other right and no token key."""
    assert [each["result"] for each in auditor.json("replay", "--open-only")] == ["ok"]
    assert auditor.json("verify")["errors"] == []
    assert auditor.json("export", "-o", "all.html") == {"file": "all.html", "runs": 1, "events": 3}
    assert auditor.json("audit") == []
    assert auditor.json("show", "r-1")["status"] == "paused"


def test_whoever_may_only_read_events_can_start_and_decide_nothing(auditor: Console) -> None:
    """The broker refuses what it would publish, and that is told."""
    auditor.environment["HITL_TOKEN_KEY"] = "a key of the tests that is long enough"
    said = auditor.hitl("run", "policy", "--run-id", "r-2", "--json")

    assert (said.code, said.problem["code"]) == (5, "log.unavailable")
    assert "on topic" in said.err
