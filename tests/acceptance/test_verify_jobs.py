"""`hitl verify --jobs N`: says what one process says, and leaves none behind however it ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.console import DONE_S_MAX, HITL
from tests.acceptance.sealed import Hitl, record
from tests.acceptance.waiting import until

RUNS = [f"run-{number}" for number in range(12)]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of some runs, with a key and a checkpoint beside it."""
    data = tmp_path_factory.mktemp("log") / "data"
    asyncio.run(record(data, RUNS[:8], RUNS[8:]))
    key, checkpoint = str(data.with_name("key")), str(data.with_name("checkpoint"))
    for line in (["--new-key", key], ["--sign", key, "-o", checkpoint, "--dir", str(data)]):
        command = [HITL, "checkpoint", *line]
        subprocess.run(command, check=True, capture_output=True, timeout=DONE_S_MAX)
    return data


@pytest.mark.parametrize(
    "damage",
    [
        "SELECT 1",
        "UPDATE blocks SET data = x'0000' WHERE first > 0",
        "UPDATE runs SET head = zeroblob(32) WHERE run > 2",
        "UPDATE runs SET spans = (SELECT spans FROM runs WHERE run = 2) WHERE run IN (1, 5, 7)",
        "DELETE FROM runs WHERE run % 3 = 0",
        "UPDATE runs SET spans = x'ff' WHERE run = 3",
    ],
)
def test_many_processes_say_what_one_says(
    damage: str, recorded: Path, tmp_path: Path, hitl: Hitl
) -> None:
    """Exit code, counts, problems and their order do not depend on the number of processes."""
    data = shutil.copytree(recorded, tmp_path / "data")
    with sqlite3.connect(data / "log.db") as connection:
        connection.execute(damage)
    connection.close()
    against = ("--against", recorded.with_name("checkpoint"))

    alone = hitl("verify", "--dir", data, *against, "--jobs", "1")

    assert (alone[0] == 0) == (damage == "SELECT 1")
    assert hitl("verify", "--dir", data, *against, "--jobs", "3") == alone


class Held:
    """`hitl verify --jobs 2` whose two children wait: for a checkpoint that nobody writes."""

    def __init__(self, data: Path, folder: Path) -> None:
        pipe = folder / "checkpoint"
        os.mkfifo(pipe)
        self.process = subprocess.Popen(
            [HITL, "verify", "--dir", str(data), "--jobs", "2", "--against", str(pipe)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        pipe.write_bytes(data.with_name("checkpoint").read_bytes())  # for the command itself
        until(lambda: len(self.workers()) == 2, "two processes work")
        self.children = self._children()
        self.pids = self.workers()

    def _children(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text(encoding="ascii").split()]

    def workers(self) -> list[int]:
        """Those of the children that do the work."""
        return [pid for pid in self._children() if _is_there(pid)]

    def end(self) -> tuple[int, str]:
        """Exit code and stderr; no child is left."""
        _, said = self.process.communicate(timeout=DONE_S_MAX)
        until(lambda: not any(map(_is_there, self.children)), "no child is left")
        return self.process.returncode, said


def _is_there(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.fixture
def held(recorded: Path, tmp_path: Path) -> Iterator[Held]:
    """A command that is in the middle of it."""
    under_way = Held(recorded, tmp_path)
    yield under_way
    with suppress(ProcessLookupError):
        os.killpg(under_way.process.pid, signal.SIGKILL)


def test_ctrl_c_ends_all_processes(held: Held) -> None:
    """One line and 130, and nothing is left of the children, which the terminal signals as well."""
    os.killpg(held.process.pid, signal.SIGINT)
    code, said = held.end()

    assert (code, len(said.splitlines())) == (130, 1)
    assert "interrupted" in said


def test_a_child_that_is_killed_is_told(held: Held) -> None:
    """Exit 5 and one line; the other child is ended too."""
    os.kill(held.pids[0], signal.SIGKILL)
    code, said = held.end()

    assert (code, len(said.splitlines())) == (5, 1)
    assert "died (signal 9)" in said
