"""One broker process: started, stopped, killed, and started again with the same data."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from tests.kafka.ports import opens
from tests.kafka.program import Program

START_S_MAX = 90.0
END_S_MAX = 30.0
LOG_TAIL_CHARACTERS = 3_000


class BrokerEnded(Exception):
    """A broker did not start, or not in time; the message holds the end of its log."""


class Node:
    """A broker that keeps its configuration, data and log in one folder."""

    def __init__(self, program: Program, folder: Path, number: int, port: int) -> None:
        self.number = number
        self.port = port
        self.log = folder / f"node{number}.log"
        self._program = program
        self._folder = folder
        self._name = f"hitl-{folder.name}-{number}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def configuration(self) -> Path:
        """The file of its properties."""
        return self._folder / f"node{self.number}.properties"

    @property
    def data(self) -> Path:
        """The folder of its logs."""
        return self._folder / f"data{self.number}"

    def begin(self) -> int:
        """Start it without waiting; gives the process group to be ended when all else fails."""
        assert self._process is None, "it runs"
        command = self._command("kafka.Kafka", str(self.configuration))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        return self._process.pid

    def format(self, cluster_id: str, *options: str) -> subprocess.Popen[bytes]:
        """Begin to make its data folder; nothing happens to one that is made."""
        arguments = ["format", "-t", cluster_id, "-c", str(self.configuration)]
        arguments += ["--ignore-formatted", *options]
        command = self._command("kafka.tools.StorageTool", *arguments)
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def wait_until_it_serves(self) -> None:
        """The port opens when the controller has let the broker in: open is serving."""
        assert self._process is not None, "it was not begun"
        end_s = time.monotonic() + START_S_MAX
        while not opens(self.port):
            if time.monotonic() > end_s or self._has_ended(0.05):
                tail = self.log.read_text(encoding="utf-8", errors="replace")
                raise BrokerEnded(
                    f"expected node {self.number} to serve on port {self.port} within"
                    f" {START_S_MAX:g} s, found: {tail[-LOG_TAIL_CHARACTERS:]}"
                )

    def end(self, number: signal.Signals) -> int | None:
        """Give it the signal and wait; gives the group that has ended, None if none ran."""
        process, self._process = self._process, None
        if process is None:
            return None
        self._program.send(process, self._name, number)
        try:
            process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            self._program.send(process, self._name, signal.SIGKILL)
            process.wait(END_S_MAX)
        return process.pid

    def send(self, number: signal.Signals) -> None:
        """Give it a signal that it survives (SIGSTOP, SIGCONT)."""
        assert self._process is not None, "it does not run"
        self._program.send(self._process, self._name, number)

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def _command(self, main: str, *arguments: str) -> list[str]:
        return self._program.command(self._name, self._folder, main, *arguments)

    def _has_ended(self, wait_s: float) -> bool:
        assert self._process is not None
        try:
            self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return False
        return True
