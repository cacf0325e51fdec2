from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from functools import partial
from typing import Any

from hitl_events.runtime.tasks import Job, Tasks

_name: ContextVar[str] = ContextVar("name", default="nobody")


async def _run(*jobs: Job) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        for job in jobs:
            tasks.add(job)


async def test_jobs_that_do_not_wait_share_a_task_and_keep_their_order() -> None:
    """Jobs begin in the order in which they were added; short ones in one task."""
    seen: list[tuple[int, asyncio.Task[Any] | None]] = []

    async def job(number: int) -> None:
        seen.append((number, asyncio.current_task()))

    await _run(*(partial(job, number) for number in range(5)))

    assert [number for number, _ in seen] == [0, 1, 2, 3, 4]
    assert len({task for _, task in seen}) == 1


async def test_a_job_that_waits_holds_up_nobody() -> None:
    """A job behind one that waits runs all the same, in a task of its own."""
    gate = asyncio.Event()
    tasks_of: dict[str, asyncio.Task[Any] | None] = {}

    async def waits(name: str) -> None:
        tasks_of[name] = asyncio.current_task()
        await gate.wait()

    async def opens() -> None:
        tasks_of["opens"] = asyncio.current_task()
        gate.set()

    await _run(partial(waits, "a"), partial(waits, "b"), opens)

    assert len(set(tasks_of.values())) == 3


async def test_each_job_has_its_own_context() -> None:
    """What a job sets in a context variable is seen by itself, also after waiting, alone."""
    seen: list[str] = []

    async def job(name: str, *, wait: bool) -> None:
        seen.append(_name.get())
        _name.set(name)
        if wait:
            await asyncio.sleep(0)
        seen.append(_name.get())

    await _run(partial(job, "a", wait=False), partial(job, "b", wait=True))

    assert seen == ["nobody", "a", "nobody", "b"]
    assert _name.get() == "nobody"


async def test_a_timeout_ends_its_own_job_alone() -> None:
    """A timeout inside a job is that job's matter."""
    ended: list[str] = []

    async def slow() -> None:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            ended.append("slow")

    async def quick(name: str) -> None:
        await asyncio.sleep(0)
        ended.append(name)

    await _run(partial(quick, "before"), slow, partial(quick, "after"))

    assert sorted(ended) == ["after", "before", "slow"]


async def test_cancel_ends_what_runs_and_forgets_the_rest() -> None:
    """After `cancel` a job that waits is cancelled, one that has not begun never begins."""
    told: list[str] = []
    began = asyncio.Event()

    async def waits() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append("cancelled")
            raise

    def never() -> Coroutine[Any, Any, None]:
        raise AssertionError

    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        tasks.add(waits)
        await began.wait()
        tasks.add(never)
        tasks.cancel()

    assert told == ["cancelled"]
