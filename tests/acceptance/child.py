"""A long-lived process under test: its log lines as they come, signals, and its end in time."""

from __future__ import annotations

import http.client
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KEY = "a token key of thirty-two bytes, and more"
WAIT_S_MAX = 30.0


class Child:
    """Its stderr is read all the time."""

    def __init__(self, folder: Path, command: Sequence[str], **env: str) -> None:
        clean = {name: text for name, text in os.environ.items() if not name.startswith("HITL_")}
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**clean, "HITL_TOKEN_KEY": KEY, **env},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.said: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            for line in stream:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def until(self, part: str) -> dict[str, Any]:
        """The first line from here on with that in it; its fields, if it is a log line."""
        while (line := self._lines.get(timeout=WAIT_S_MAX)) is not None:
            self.said.append(line)
            if part in line:
                fields: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
                return fields
        raise AssertionError(f"expected a line with {part!r}, found {self.said}")

    def heard(self) -> list[str]:
        """All that it said so far, without waiting; `until` looks behind it."""
        while not self._lines.empty():
            line = self._lines.get()
            if line is None:
                self._lines.put(None)
                break
            self.said.append(line)
        return self.said

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it."""
        self._process.send_signal(number)

    def ended(self, within_s: float = WAIT_S_MAX) -> int:
        """The exit code; all that it said is in `said`."""
        code = self._process.wait(timeout=within_s)
        while (line := self._lines.get(timeout=WAIT_S_MAX)) is not None:
            self.said.append(line)
        return code

    def kill(self) -> None:
        """The end of it, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(timeout=WAIT_S_MAX)


@contextmanager
def child(folder: Path, script: str, *arguments: str, **env: str) -> Generator[Child]:
    """A script beside this one, with `-W error`."""
    path = str(Path(__file__).with_name(script))
    with process(folder, [sys.executable, "-W", "error", path, *arguments], **env) as started:
        yield started


@contextmanager
def process(folder: Path, command: Sequence[str], **env: str) -> Generator[Child]:
    """A process, killed at the end of the block if it is still there."""
    started = Child(folder, command, **env)
    try:
        yield started
    finally:
        started.kill()


def asked(port: int, path: str) -> tuple[int, str]:
    """Status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S_MAX)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
