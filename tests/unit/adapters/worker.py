"""A process of its own for the tests of locks, crashes and full disks: `... ROLE PATH`."""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hitl_events.adapters.directory import DataDirectory
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.domain.values import RunId
from hitl_events.errors import LogUnavailable
from hitl_events.ports import Answer
from hitl_events.testing.checks.promise import values
from hitl_events.testing.checks.samples import Story, noise, submission, together

FILE_BYTES_MAX = 400_000
CHILD_LIFE_S = 60


async def write(path: str) -> None:
    """Append for ever: three events of each of two runs, the answer to a record; say each."""
    log = SqliteLog.open(path)
    assert log.try_own()
    while True:
        end = await log.end()
        offset = await log.put(submission())
        batch = together(Story(f"left-{end}"), Story(f"right-{end}"), count=3)
        answer = Answer(run_id=RunId(f"left-{end}"), seq=3)
        await log.append(replace(batch, settled=[(offset, answer)]))
        say(end, offset)


async def race(path: str) -> None:
    """When told to: make log and key (or key and log), own it if that can be had; keep it."""
    key_first = hear() == "key\n"
    key = DataDirectory(path).token_key() if key_first else b""
    log = SqliteLog.open(path)
    await log.put(submission())
    key = key or DataDirectory(path).token_key()
    say(key.decode(), int(log.try_own()))
    hear()


async def fork(path: str) -> None:
    """Own the log, leave a child behind that does not end, and die."""
    log = SqliteLog.open(path)
    assert log.try_own()
    if os.fork() == 0:
        say(os.getpid())
        signal.alarm(CHILD_LIFE_S)
        signal.pause()
    hear()
    os.kill(os.getpid(), signal.SIGKILL)


async def fill_disk(path: str) -> None:
    """Append until the disk is full (a file `filler` is removed then) or the file too large."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, resource.RLIM_INFINITY))
    log, story = SqliteLog.open(f"{path}/data"), Story()
    log.try_own()
    kept = 0
    try:
        while True:
            await log.append(story.batch(2, noise(20_000 + kept)))
            kept = story.seq
    except LogUnavailable as refused:
        say(refused)
    whole = (await log.load([story.run_id]))[story.run_id] == tuple(story.values[:kept])
    say(whole, await log.end() == kept)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    Path(path, "filler").unlink(missing_ok=True)
    after = Story("after")
    await log.append(after.batch(2))
    log.close()
    log = SqliteLog.open(f"{path}/data")
    say(await values(log) == [*story.values[:kept], *after.values])


async def make_on_full_disk(path: str) -> None:
    """Make a log and a key where there is no room."""
    directory = DataDirectory(f"{path}/data")
    makers: tuple[Callable[[], object], ...] = (
        lambda: SqliteLog.open(directory),
        directory.token_key,
    )
    for make in makers:
        try:
            make()
        except LogUnavailable as refused:
            say(refused)
    say([each.name for each in directory.path.iterdir()])


def say(*words: object) -> None:
    """Tell the test a line."""
    print(*words, flush=True)


def hear() -> str:
    """Wait for a line of the test, or for its end."""
    return sys.stdin.readline()


ROLES = {role.__name__: role for role in (write, race, fork, fill_disk, make_on_full_disk)}

if __name__ == "__main__":
    asyncio.run(ROLES[sys.argv[1]](sys.argv[2]))
