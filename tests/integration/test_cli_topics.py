"""The command line on a cluster: topics, rights, dead letters, and what is in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.console import Console
from tests.integration.conftest import PARTITIONS
from tests.integration.stand_in import (
    reply,
    standing_in,
)
from tests.kafka.cluster import Cluster
from tests.kafka.records import Outgoing


def test_dead_letters_are_listed_shown_and_sent_again(
    console: Console, broker: Cluster, prefix: str
) -> None:
    """By `PARTITION:OFFSET`, newest first; `replay` publishes the record as it first was."""
    about = {
        "hitl-dlq-reason": "invalid_token",
        "hitl-dlq-topic": f"{prefix}.decisions",
        "hitl-dlq-partition": "2",
        "hitl-dlq-offset": "7",
        "hitl-dlq-timestamp": "1700000000000",
        "hitl-dlq-message": "expected a token, found none",
    }
    headers = (("mine", b"1"), *((name, text.encode()) for name, text in about.items()))
    topic = f"{prefix}.dead-letters"
    for value in (b"first", b"second"):
        broker.client().publish(
            Outgoing(topic=topic, key=b"k", value=value, headers=headers, partition=1)
        )

    newest, oldest = console.json("dead-letters", "list")
    shown = console.json("dead-letters", "show", "1:0")
    with standing_in(
        broker,
        f"{prefix}.decisions",
        lambda sent: [reply(prefix, sent, reason="invalid_token", message="still", winner=None)],
    ) as came:
        again = console.hitl("dead-letters", "replay", "1:0", "--json")
    discarded = console.hitl("dead-letters", "discard", "1:0")

    assert (newest["number"], oldest["number"], oldest["reason"]) == ("1:1", "1:0", "invalid_token")
    assert (oldest["source"]["offset"], oldest["bytes"]) == (7, 5)
    assert (shown["value"], shown["headers"]) == ("first", [["mine", "1"]])
    assert (came[0].key, came[0].value, came[0].named["mine"]) == (b"k", b"first", b"1")
    assert not [name for name, _ in came[0].headers if name.startswith("hitl-dlq-")]
    assert (again.code, again.json["diagnostics"][0]["data"]["reason"]) == (1, "invalid_token")
    assert (discarded.code, len(discarded.err.splitlines())) == (2, 1)


def test_topics_are_created_once(bare: Console, prefix: str) -> None:
    """Repeated it changes nothing; another number of partitions is refused."""
    first = bare.json("topics", "create", "--partitions", str(PARTITIONS))
    again = bare.json("topics", "create")
    other = bare.hitl("topics", "create", "--partitions", "5")

    assert [state["created"] for state in first] == [True] * 6
    assert [state["created"] for state in again] == [False] * 6
    assert {state["partitions"] for state in again} == {PARTITIONS}
    assert other.code != 0
    assert "found 3" in other.err


def test_rights_are_printed(bare: Console, prefix: str) -> None:
    """`topics acls` prints commands of Kafka's tool, for one process or all."""
    engine = bare.hitl("topics", "acls", "--process", "engine").out
    everyone = bare.json("topics", "acls")

    assert f"--allow-principal User:{prefix}-engine --operation Read" in engine
    assert "publisher" not in engine
    assert f"User:{prefix}-publisher" in {right["principal"] for right in everyone}


@pytest.mark.parametrize(
    ("line", "changed", "code", "part"),
    [
        ("runs", {"HITL_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, 5, "check that the brokers"),
        ("run policy", {"HITL_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, 5, "check that the brokers"),
        ("runs", {"HITL_TOPIC_PREFIX": "nothing-here"}, 5, "hitl topics create"),
        ("run policy", {"HITL_TOPIC_PREFIX": "nothing-here"}, 5, "hitl topics create"),
        ("dead-letters list", {"HITL_TOPIC_PREFIX": "nothing-here"}, 5, "hitl topics create"),
        ("run policy", {"HITL_TOKEN_KEY": None}, 2, "expected HITL_TOKEN_KEY"),
        ("decide hitl_x approve", {"HITL_TOKEN_KEY": None}, 2, "expected HITL_TOKEN_KEY"),
        ("pending", {"HITL_TOKEN_KEY": None}, 2, "expected HITL_TOKEN_KEY"),
        ("runs --kafka nowhere", {}, 2, "HOST:PORT"),
        ("import file", {}, 2, "found a cluster"),
        ("run policy --no-wait --timeout 1", {}, 2, "found both"),
        ("run policy --no-wait", {"HITL_KAFKA_BOOTSTRAP": None}, 2, "beside --no-wait"),
        ("runs --from-topic", {"HITL_KAFKA_BOOTSTRAP": None}, 2, "beside --from-topic"),
        ("topics create", {"HITL_KAFKA_BOOTSTRAP": None}, 2, "expected a cluster"),
    ],
)
def test_what_is_in_the_way_is_told_in_a_line(
    bare: Console, line: str, changed: dict[str, str | None], code: int, part: str
) -> None:
    """Within seconds, with what to do about it."""
    for name, held in changed.items():
        bare.environment.pop(name)
        if held is not None:
            bare.environment[name] = held
    said = bare.hitl(*line.split(" "))

    assert (said.code, part in said.err, len(said.err.splitlines())) == (code, True, 1), said.err


def test_a_wrong_password_is_named(tmp_path: Path, secured: Cluster, prefix: str) -> None:
    """Not "unable to bootstrap", and not the password."""
    console = Console(tmp_path)
    console.environment |= {
        "HITL_KAFKA_BOOTSTRAP": secured.bootstrap,
        "HITL_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "HITL_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "HITL_KAFKA_SASL_USERNAME": "nobody",
        "HITL_KAFKA_SASL_PASSWORD": "wrong-secret",
        "HITL_TOPIC_PREFIX": prefix,
    }
    said = console.hitl("runs")

    assert (said.code, "HITL_KAFKA_SASL_*" in said.err) == (5, True), said.err
    assert "wrong-secret" not in said.err
