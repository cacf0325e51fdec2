"""Where Kafka's program comes from: its jars and Java on this machine, else its Docker image."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Protocol

from tests.kafka.jars import VERSION, NoKafka, class_path

IMAGE = f"apache/kafka:{VERSION}"
DOCKER_S_MAX = 20.0
SMALL = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # starts in half of the time
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)


class Program(Protocol):
    """Kafka's Java classes as commands of this machine."""

    def command(self, name: str, folder: Path, main: str, *arguments: str) -> list[str]:
        """What starts a class that works in the folder, as a process of that name."""
        ...

    def send(self, process: subprocess.Popen[bytes], name: str, number: signal.Signals) -> None:
        """Give the broker, not what stands before it, a signal."""
        ...


class LocalJava:
    """The class path and Java here."""

    def __init__(self, jars: str) -> None:
        self._jars = jars

    def command(self, name: str, folder: Path, main: str, *arguments: str) -> list[str]:
        return ["java", *SMALL, "-cp", self._jars, main, *arguments]

    def send(self, process: subprocess.Popen[bytes], name: str, number: signal.Signals) -> None:
        process.send_signal(number)


class Docker:
    """The image, on the host's network (Linux), in the host's folder, as the user who asks."""

    def command(self, name: str, folder: Path, main: str, *arguments: str) -> list[str]:
        options = ["--rm", "--name", name, "--network", "host", "--volume", f"{folder}:{folder}"]
        options += ["--user", f"{os.getuid()}:{os.getgid()}", "--entrypoint", "java"]
        java = [*SMALL, "-cp", "/opt/kafka/libs/*", main, *arguments]
        return ["docker", "run", *options, IMAGE, *java]

    def send(self, process: subprocess.Popen[bytes], name: str, number: signal.Signals) -> None:
        command = ["docker", "kill", "--signal", number.name, name]
        subprocess.run(command, capture_output=True, check=False, timeout=DOCKER_S_MAX)


def find() -> Program:
    """The first that works here; `NoKafka`, in one line, where none does."""
    try:
        return LocalJava(class_path())
    except NoKafka as missing:
        if _docker_answers():
            return Docker()
        wanted = "expected HITL_KAFKA_BOOTSTRAP, or Java 17+ and Maven, or a Docker daemon"
        raise NoKafka(f"{wanted}, found {missing} and no daemon") from None


def _docker_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        asked = subprocess.run(
            [docker, "info"], capture_output=True, check=False, timeout=DOCKER_S_MAX
        )
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0
