"""`hitl verify` of a log whose owner is at work: what it can not know yet is no damage."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from hitl_events import Retry, Run, Runtime, recipe
from hitl_events.embedded import Setting
from tests.acceptance.console import DONE_S_MAX, HITL
from tests.acceptance.sealed import Hitl

VERIFIED, BROKEN = 0, 4
VERIFICATIONS = 3


async def _verified(place: Path) -> int:
    """The exit code of the command, in a process beside this one."""
    command = await asyncio.create_subprocess_exec(
        *(HITL, "verify", "--dir", str(place)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(DONE_S_MAX):
        return await command.wait()


async def _again(place: Path) -> int:
    """Verify while a step's second attempt is under way, which the end of the runtime cuts off."""
    under_way, attempts = asyncio.Event(), 0

    async def call() -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise ConnectionError
        under_way.set()
        await asyncio.Event().wait()

    @recipe("stubborn", version="1")
    async def stubborn(run: Run, _: None) -> None:
        await run.step(call, retry=Retry(attempts=2, initial_s=0.001))

    async with (
        Runtime.open(place, recipes=[stubborn], setting=Setting(drain_s=0)) as runtime,
        asyncio.timeout(DONE_S_MAX),
    ):
        running = asyncio.create_task(runtime.run(stubborn, run_id="one"))
        await under_way.wait()
        code = await _verified(place)
        running.cancel()
    return code


def test_a_step_that_is_tried_again_is_no_damage(tmp_path: Path, hitl: Hitl) -> None:
    """The pause before an attempt is over once it began, of which no event tells yet."""
    place = tmp_path / "data"

    assert asyncio.run(_again(place)) == VERIFIED
    assert hitl("verify", "--dir", place)[0] == VERIFIED


async def _verified_under_load(place: Path) -> list[int]:
    """The exit codes of some verifications, while runs begin and end all the time."""

    @recipe("quick", version="1")
    async def quick(run: Run, _: None) -> None:
        run.now()

    stopped = asyncio.Event()
    async with Runtime.open(place, recipes=[quick]) as runtime, asyncio.TaskGroup() as group:

        async def begin() -> None:
            while not stopped.is_set():
                await runtime.run(quick)

        for _ in range(4):
            group.create_task(begin())
        codes = [await _verified(place) for _ in range(VERIFICATIONS)]
        stopped.set()
    return codes


def test_an_owner_that_goes_on_is_no_damage(tmp_path: Path, hitl: Hitl) -> None:
    """The read model is compared with the events up to where it is folded, not with later ones."""
    place = tmp_path / "data"
    assert asyncio.run(_again(place)) == VERIFIED
    assert hitl("rebuild", "--dir", place)[0] == VERIFIED

    assert asyncio.run(_verified_under_load(place)) == [VERIFIED] * VERIFICATIONS


def test_a_run_that_nobody_would_take_up_is_found(tmp_path: Path, hitl: Hitl) -> None:
    """A run with steps to do that is no longer marked as busy would stand still for ever."""
    place = tmp_path / "data"
    asyncio.run(_again(place))
    with sqlite3.connect(place / "log.db") as connection:
        connection.execute("UPDATE runs SET busy = 0")
    connection.close()

    code, report, _ = hitl("verify", "--dir", place)

    assert code == BROKEN
    assert [(each["run_id"], each["seq"]) for each in report["errors"]] == [("one", 2)]
