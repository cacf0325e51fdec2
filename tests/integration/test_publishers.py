import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from hitl_events.adapters.inbound import read_inbound
from hitl_events.domain.commands import Decide
from hitl_events.domain.events import Source
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import EPOCH
from hitl_events.ports import InboundRecord
from tests.kafka.cluster import Cluster
from tests.kafka.jars import NoKafka, class_path

PUBLISHERS = Path(__file__).parents[2] / "examples" / "publishers"
KEYS = TokenKeys([b"a token key of at least 32 bytes, for tests"])
TOKEN = KEYS.issue("order-4711", 3, bytes(16), KEYS.kid) or ""
RUN_S_MAX = 400
"""Go builds its client at the first time: three minutes on two busy cores, so it optimises nothing,
which is a third of the work."""

Command: TypeAlias = list[str]


def _found(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"no {program} on this machine")
    return found


def _shell() -> Command:
    _found("kcat")
    return ["./publish.sh"]


def _python() -> Command:
    return [sys.executable, "publish.py"]


def _java() -> Command:
    try:
        jars = class_path()
    except NoKafka as missing:
        pytest.skip(f"{missing} on this machine")
    return [_found("java"), "-cp", jars, "Publish.java"]


def _go() -> Command:
    go = _found("go")
    fetched = subprocess.run(
        [go, "mod", "download"], cwd=PUBLISHERS, capture_output=True, timeout=RUN_S_MAX, check=False
    )
    if fetched.returncode:
        pytest.skip("no Go modules on this machine")
    return [go, "run", "-gcflags=all=-N -l", "."]


@pytest.mark.slow
@pytest.mark.timeout(2 * RUN_S_MAX)
@pytest.mark.parametrize("command", [_shell, _python, _java, _go], ids=lambda made: made.__name__)
def test_a_dozen_lines_in_any_language_are_a_decision(
    broker: Cluster, prefix: str, command: Callable[[], Command]
) -> None:
    """Each example publishes exactly the two fields, and what it wrote is read as a decision."""
    arguments = command()
    client = broker.client()
    topic = f"{prefix}.decisions"
    client.admin.create_topic(topic, 4)

    # the first of them may be down
    said = {"HITL_KAFKA_BOOTSTRAP": f"127.0.0.1:1,{broker.bootstrap}", "HITL_TOPIC_PREFIX": prefix}
    said["CGO_ENABLED"] = "0"  # nor builds what is written in C
    ended = subprocess.run(
        [*arguments, "approve"],
        cwd=PUBLISHERS,
        env=os.environ | said | {"HITL_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    (record,) = client.read(topic)

    found = read_inbound(
        InboundRecord(
            kind="decision",
            value=record.value or b"",
            headers=record.headers,
            channel="topic",
            source=Source(topic=topic, partition=record.partition, offset=0, timestamp_ms=1),
        ),
        arrived_at=EPOCH,
    )
    assert isinstance(found, Decide), found
    assert (found.token, found.verdict) == (TOKEN, "approve")
    assert TOKEN not in ended.stdout + ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", [_shell, _python], ids=lambda made: made.__name__)
def test_a_publisher_that_fails_says_so(command: Callable[[], Command]) -> None:
    """Nothing listens there: the exit code is not 0, so a script does not go on."""
    arguments = command()

    ended = subprocess.run(
        [*arguments, "approve"],
        cwd=PUBLISHERS,
        env=os.environ | {"HITL_KAFKA_BOOTSTRAP": "127.0.0.1:1", "HITL_TOKEN": TOKEN},
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize("command", [_shell, _python, _java], ids=lambda made: made.__name__)
def test_a_publisher_without_a_token_publishes_nothing(
    broker: Cluster, prefix: str, command: Callable[[], Command]
) -> None:
    """The variable was forgotten: it says so, and a script does not go on."""
    arguments = command()
    client = broker.client()
    client.admin.create_topic(f"{prefix}.decisions", 1)
    environment = {name: held for name, held in os.environ.items() if name != "HITL_TOKEN"}

    ended = subprocess.run(
        [*arguments, "approve"],
        cwd=PUBLISHERS,
        env=environment | {"HITL_KAFKA_BOOTSTRAP": broker.bootstrap, "HITL_TOPIC_PREFIX": prefix},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode != 0
    assert "HITL_TOKEN" in ended.stderr
    assert client.read(f"{prefix}.decisions") == []
