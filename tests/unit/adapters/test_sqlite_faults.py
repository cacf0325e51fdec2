import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import pytest

from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.domain.values import RunId
from hitl_events.testing.checks.promise import everything
from tests.unit.adapters.conftest import UntilEnd

ROOT = Path(__file__).parents[3]
WORKER = (sys.executable, "-m", "tests.unit.adapters.worker")
RACERS = 12
KILLS = 3
SMALL_DISK = 'mount -t tmpfs -o size=2m none "$1" && dd if=/dev/zero of="$1/filler" bs=1k count=$4'


class Worker:
    """A child process that is spoken to by lines."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self._to: IO[str] = process.stdin
        self._from: IO[str] = process.stdout

    def tell(self, word: str = "go") -> None:
        """Let it go on."""
        self._to.write(f"{word}\n")
        self._to.flush()

    def hear(self) -> list[str]:
        """The words of its next line."""
        return self._from.readline().split()

    def rest(self) -> list[str]:
        """All lines until it ends."""
        return self._from.read().splitlines()

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait()


@contextmanager
def working(role: str, path: Path) -> Generator[Worker]:
    """A worker that is killed in the end, whatever becomes of the test."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*WORKER, role, str(path)], stdin=pipe, stdout=pipe, text=True, cwd=ROOT
    ) as process:
        try:
            yield Worker(process)
        finally:
            process.kill()


@pytest.mark.parametrize("acknowledged", [1, 2, 40])
async def test_a_killed_owner_loses_nothing(
    tmp_path: Path, until_end: UntilEnd, acknowledged: int
) -> None:
    """After `kill -9` all that was acknowledged is there, and no batch is there by half."""
    said: list[list[str]] = []
    for _ in range(KILLS):
        with working("write", tmp_path) as worker:
            said += [worker.hear() for _ in range(acknowledged)]
            worker.kill()
            said += [words.split() for words in worker.rest() if len(words.split()) == 2]

    log = until_end(SqliteLog.open(tmp_path))
    assert log.try_own()
    positions = [each async for page in log.positions() for each in page]
    assert len(await everything(log)) == 3 * len(positions)
    assert {each.seq for each in positions} == {3}
    ended = {each.run_id for each in positions}
    for end, offset in said:
        assert {RunId(f"left-{end}"), RunId(f"right-{end}")} <= ended
        answer = await log.answer(int(offset))
        assert answer is not None
        assert answer.run_id == f"left-{end}"
    assert len(await log.load(ended)) == len(positions)


@pytest.mark.parametrize("first", ["log", "key"])
async def test_twelve_processes_make_one_log(
    tmp_path: Path, until_end: UntilEnd, first: str
) -> None:
    """Of twelve that start at once on nothing, all get the same key and log, and one owns it."""
    with ExitStack() as stack:
        path = tmp_path / "data"
        racers = [stack.enter_context(working("race", path)) for _ in range(RACERS)]
        for racer in racers:
            racer.tell(first)
        said = [racer.hear() for racer in racers]

        assert len({key for key, _ in said}) == 1
        owners = [racer for racer, (_, owns) in zip(racers, said, strict=True) if owns == "1"]
        assert len(owners) == 1
        log = until_end(SqliteLog.open(path))
        assert len(await log.take(0, 2 * RACERS)) == RACERS
        assert not log.try_own()
        owners[0].kill()
        assert log.try_own()
        assert not list(path.glob("*.new"))


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path, until_end: UntilEnd) -> None:
    """The lock of a killed owner is free although a process that it had forked lives on."""
    with working("fork", tmp_path) as worker:
        (child,) = worker.hear()
        log = until_end(SqliteLog.open(tmp_path))
        assert not log.try_own()
        worker.tell()
        worker.process.wait()

        assert log.try_own()
        os.kill(int(child), signal.SIGKILL)


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """A commit that does not fit leaves nothing and says why; with room again, the log goes on."""
    with working("fill_disk", tmp_path) as worker:
        refusal, kept, went_on = worker.rest()

    assert "nothing of this write was kept" in refusal
    assert (kept, went_on) == ("True True", "True")


def _on_small_disk(role: str, path: Path, filler_kib: int) -> list[str]:
    script = f'{SMALL_DISK} 2>/dev/null && exec "$2" -m tests.unit.adapters.worker "$3" "$1"'
    words = ["sh", str(path), sys.executable, role, str(filler_kib)]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip("this machine lets tests mount nothing")
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_full_disk(tmp_path: Path) -> None:
    """A full disk refuses a commit whole, in one line; once there is room, the same log goes on."""
    refusal, kept, went_on = _on_small_disk("fill_disk", tmp_path, 1700)

    assert "the disk is full" in refusal
    assert (kept, went_on) == ("True True", "True")


def test_no_room_for_a_log(tmp_path: Path) -> None:
    """Neither log nor key is made by half where the disk is full."""
    first, second, left = _on_small_disk("make_on_full_disk", tmp_path, 2048)

    assert "the disk is full" in first
    assert "the disk is full" in second
    assert left == "[]"
