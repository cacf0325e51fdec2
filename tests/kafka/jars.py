"""Kafka's published jars, fetched once with Maven into a cache outside of the repository."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

VERSION = "4.3.1"
JAVA_MIN = 17
FETCH_S_MAX = 280.0
POM = Path(__file__).with_name("pom.xml")
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class NoKafka(Exception):
    """No broker can be had on this machine; the message says what was looked for."""


def cache() -> Path:
    """The folder for what is fetched or made once per user."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "hitl-events"


def class_path() -> str:
    """The jars as Java's class path, fetched if need be; `NoKafka` without Java 17 or Maven."""
    _check_java()
    jars = cache() / f"kafka-{VERSION}-tools"
    if not jars.is_dir():
        with _alone():
            if not jars.is_dir():
                _fetch(jars)
    return f"{jars}/*"


def _check_java() -> None:
    java = shutil.which("java")
    if java is None:
        raise NoKafka("no java")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', told.stderr)
    if version is None or int(version[1]) < JAVA_MIN:
        raise NoKafka(f"java {version[1] if version else 'of no version'}")


def _fetch(jars: Path) -> None:
    """All or nothing: the folder gets its name when all jars are in it."""
    maven = shutil.which("mvn")
    if maven is None:
        raise NoKafka("no mvn")
    half = Path(tempfile.mkdtemp(prefix=f"{jars.name}-", dir=jars.parent))
    command = [maven, "-B", "-q", "-f", str(POM), f"-Dkafka.version={VERSION}", COPY]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={half}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=FETCH_S_MAX
        )
    except subprocess.TimeoutExpired:
        shutil.rmtree(half)
        raise NoKafka(f"mvn that fetched no jars in {FETCH_S_MAX:g} s") from None
    if done.returncode != 0:
        shutil.rmtree(half)
        said = (done.stdout + done.stderr).strip().splitlines()
        raise NoKafka(f"mvn that failed: {said[0] if said else done.returncode}")
    half.rename(jars)


@contextmanager
def _alone() -> Generator[None]:
    """One process at a time fetches."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
