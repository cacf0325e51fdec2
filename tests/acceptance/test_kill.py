"""A real `kill -9` at every named point of the runtime, twenty times each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.audit.chain import ChainCheck
from tests.acceptance import forked

CHILD = Path(__file__).with_name("crash_child.py")
KILLS = 20
DEAD_S_MAX = 60.0

POINTS = {
    "before_load": 4,
    "before_take": 4,
    "after_take": 4,
    "before_values": 4,
    "after_positions": 4,
    "after_append": 4,
    "before_answer": 4,
    "after_answer": 4,
    "after_restore": 1,
    "before_expiry": 1,
    "before_step": 2,
    "in_step": 2,
    "after_body": 8,
    "at_close": 2,
    "before_put": 1,
    "after_put": 1,
}
"""Point -> how often a run of the script passes it at the least."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", POINTS)
async def test_nothing_is_lost_or_doubled(point: str, tmp_path: Path) -> None:
    """Killed there, a process loses nothing that it said, and whoever goes on doubles nothing."""
    directories = [tmp_path / f"log{number}" for number in range(KILLS)]
    said = killed(point, directories)

    reports = recovered(directories)

    for directory in directories:
        check(reports[directory], said[directory])
        await check_chains(directory)


AGAIN = ("after_restore", "before_load", "before_take", "after_take")
"""Points that every process passes that goes on where another was killed in a step."""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("pass_of_step", [1, 2])
async def test_a_second_crash_while_it_recovers(pass_of_step: int, tmp_path: Path) -> None:
    """Killed in a step, and again while it is being taken up: still nothing lost or doubled."""
    directories = [tmp_path / f"log{number}" for number in range(KILLS // 2)]
    said = killed("in_step", directories, nth=pass_of_step)
    for at, point in enumerate(AGAIN):
        killed(point, directories[at :: len(AGAIN)], nth=1)

    reports = recovered(directories)

    for directory in directories:
        check(reports[directory], said[directory], drafts_max=3)
        await check_chains(directory)


def killed(point: str, directories: list[Path], nth: int | None = None) -> dict[Path, list[str]]:
    """What each process had acknowledged when it died, at this pass or at each one in turn."""
    said: dict[Path, list[str]] = {}
    for number, directory in enumerate(directories):
        at = str(nth or 1 + number % POINTS[point])
        command = [str(CHILD), "kill", str(directory), point, at]
        code, output, errors = forked.run(command, directory.parent, os.environ, "", DEAD_S_MAX)
        assert code == -signal.SIGKILL, f"{point} was not reached:\n{errors}"
        said[directory] = output.split()
    return said


def recovered(directories: list[Path]) -> dict[Path, dict[str, Any]]:
    """The script taken to its end on each of them by a new process."""
    child = start("recover", *map(str, directories))
    output, errors = child.communicate(timeout=240)
    assert child.returncode == 0, errors
    return dict(zip(directories, reports_in(output), strict=True))


def reports_in(output: str) -> Iterator[dict[str, Any]]:
    """What the recovering process printed, a report per directory."""
    for line in output.splitlines():
        if line.startswith("REPORT "):
            yield json.loads(line.removeprefix("REPORT "))


def start(*args: str) -> subprocess.Popen[str]:
    """A process of the child program."""
    return subprocess.Popen(
        [sys.executable, str(CHILD), *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def check(report: dict[str, Any], said: list[str], drafts_max: int = 2) -> None:
    """One run, one closing decision, each step recorded once, the irrevocable one done once."""
    kinds, effects = report["kinds"]["n1"], report["effects"]
    reconciled = kinds.count("GatePaused") - 1

    assert (report["status"], report["result"]) == ("ok", "DRAFT OF CATS")
    assert kinds.count("RunStarted") == kinds.count("RunCompleted") == 1
    assert kinds.count("StepCompleted") == 2
    assert kinds.count("DecisionReceived") == 1 + reconciled
    assert effects.count("publish draft of cats") == 1
    assert effects.count("draft cats") <= drafts_max
    assert reconciled <= 1
    # the clock decided once, whoever asked again
    assert report["kinds"]["c1"].count("DecisionReceived") == 1
    assert said == ["started", "approved", "done"][: len(said)]


async def check_chains(directory: Path) -> None:
    """The log is whole, event by event and against its own index."""
    log = SqliteLog.open_for_reading(directory)
    try:
        checked = ChainCheck(AvroCodec())
        async for piece in log.read():
            checked.add_all([stored.value for stored in piece])
        heads = [position async for piece in log.positions() for position in piece]
    finally:
        log.close()
    checked.finish(heads)

    assert not checked.report().errors
