"""Where the broker comes from, and what ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kafka import jars
from tests.kafka.cluster import KEEPER
from tests.kafka.jars import NoKafka
from tests.kafka.program import Docker, LocalJava, find
from tests.kafka.properties import Ports, Shape, properties

END_S_MAX = 20


def _tool(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no tools but those that a test puts into this folder, and an empty cache."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_nothing_there_is_one_clear_line(machine: Path) -> None:
    """Without Java and Docker the reason says what would do."""
    with pytest.raises(NoKafka) as refused:
        find()

    assert str(refused.value) == (
        "expected HITL_KAFKA_BOOTSTRAP, or Java 17+ and Maven, or a Docker daemon,"
        " found no java and no daemon"
    )


@pytest.mark.parametrize(
    ("java", "maven", "found"),
    [
        ("11.0.2", "exit 0", "java 11"),
        ("21.0.1", None, "no mvn"),
        ("17.0.1", "echo 'no such host'; exit 1", "mvn that failed: no such host"),
    ],
)
def test_what_is_missing_is_named(machine: Path, java: str, maven: str | None, found: str) -> None:
    """An old Java, no Maven, a Maven that cannot fetch: each is said, and nothing half is kept."""
    _tool(machine, "java", f"echo 'openjdk version \"{java}\" 2025' >&2")
    if maven is not None:
        _tool(machine, "mvn", maven)

    with pytest.raises(NoKafka, match=f"found {found} and no daemon"):
        find()

    assert [path.name for path in (machine / "cache").glob("*/kafka*")] == []


def test_jars_are_fetched_once(machine: Path) -> None:
    """Maven is asked the first time only."""
    _tool(machine, "java", "echo 'openjdk version \"21\"' >&2")
    _tool(machine, "mvn", f"echo asked >> {machine}/asked")

    assert jars.class_path() == jars.class_path()

    assert (machine / "asked").read_text() == "asked\n"


def test_docker_is_the_second_choice(machine: Path) -> None:
    """A Docker daemon that answers is used where Java is missing, and only then."""
    _tool(machine, "docker", "exit 0")
    assert isinstance(find(), Docker)

    _tool(machine, "java", "echo 'openjdk version \"21\"' >&2")
    _tool(machine, "mvn", "exit 0")
    assert isinstance(find(), LocalJava)


def test_docker_runs_the_same_class(machine: Path) -> None:
    """The command is the one of the jars, in a container that sees the folder and the ports."""
    command = Docker().command("n-1", machine, "kafka.Kafka", "file")

    assert command[:2] == ["docker", "run"]
    assert f"{machine}:{machine}" in command
    assert command[command.index("--network") + 1] == "host"
    assert command[-2:] == ["kafka.Kafka", "file"]


def test_docker_gets_the_signal(machine: Path) -> None:
    """SIGKILL goes to the broker in the container, not to the client that stands before it."""
    _tool(machine, "docker", f'echo "$@" >> {machine}/asked')
    client = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    Docker().send(client, "n-1", signal.SIGKILL)

    assert client.poll() is None
    assert (machine / "asked").read_text() == "kill --signal SIGKILL n-1\n"
    client.communicate(timeout=END_S_MAX)


@pytest.mark.parametrize(("required", "code", "said"), [("0", 0, "1 skipped"), ("1", 1, "1 error")])
def test_no_broker_skips_or_fails(machine: Path, required: str, code: int, said: str) -> None:
    """A test that asks for a broker is skipped without one; HITL_REQUIRE_KAFKA=1 fails it."""
    test = "tests/kafka/test_fixtures.py::test_what_is_published_is_read"
    ours = {name: text for name, text in os.environ.items() if not name.startswith("HITL_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        cwd=Path(__file__).parents[2],
        env=ours | {"HITL_REQUIRE_KAFKA": required},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, said in done.stdout) == (code, True), done.stdout
    assert "expected HITL_KAFKA_BOOTSTRAP, or Java 17+ and Maven" in done.stdout


def test_the_keeper_ends_what_is_left() -> None:
    """When the session is gone its brokers end; one that it had ended itself is left alone."""
    keeper = subprocess.Popen(
        [sys.executable, "-I", "-S", str(KEEPER)], stdin=subprocess.PIPE, text=True
    )
    waits = [sys.executable, "-c", "input()"]
    left, ended = (
        subprocess.Popen(waits, stdin=subprocess.PIPE, start_new_session=True) for _ in range(2)
    )

    keeper.communicate(f"+{left.pid}\n+{ended.pid}\n-{ended.pid}\n", timeout=END_S_MAX)

    assert left.wait(END_S_MAX) == -signal.SIGTERM
    assert ended.poll() is None
    for process in (left, ended):
        process.communicate(timeout=END_S_MAX)


def test_no_property_is_set_twice(tmp_path: Path) -> None:
    """A node's file has one line per name, so that none is lost in silence."""
    shape = Shape(nodes=tuple(Ports(clients=1 + n, control=11 + n) for n in range(3)))
    lines = properties(shape, 2, tmp_path).splitlines()

    names = [line.partition("=")[0] for line in lines]
    assert sorted(set(names)) == sorted(names)
    assert "controller.quorum.voters=1@127.0.0.1:11,2@127.0.0.1:12,3@127.0.0.1:13" in lines
