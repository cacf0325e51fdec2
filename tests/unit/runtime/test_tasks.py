import asyncio
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest

from hitl_events.errors import ForeignTask
from hitl_events.runtime.foreign import outside_of_tasks
from hitl_events.runtime.tasks import Tasks
from tests.unit.turns import loop_has_come_round

WHO: ContextVar[str] = ContextVar("who", default="nobody")


async def test_short_jobs_share_a_task() -> None:
    """Jobs that end without waiting run in order in one task."""
    seen: list[tuple[int, Any]] = []

    async def job(number: int) -> None:
        seen.append((number, asyncio.current_task()))

    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        for number in range(100):
            tasks.add(partial(job, number))
        others = len(asyncio.all_tasks()) - 1

    assert [number for number, _ in seen] == list(range(100))
    assert (len({task for _, task in seen}), others) == (1, 1)


async def test_a_job_that_waits_holds_up_nobody() -> None:
    """Those behind it go on in another task, in their order."""
    seen: list[str] = []
    go = asyncio.Event()

    async def waits() -> None:
        await go.wait()
        seen.append("waited")

    async def short(name: str) -> None:
        seen.append(name)
        if name == "last":
            go.set()

    async with asyncio.TaskGroup() as group, asyncio.timeout(20):
        tasks = Tasks(group)
        tasks.add(waits)
        tasks.add(lambda: short("first"))
        tasks.add(lambda: short("last"))

    assert seen == ["first", "last", "waited"]


async def test_a_timeout_meets_its_own_job_alone() -> None:
    """A job that runs out of time does not cancel the ones that shared its task."""
    seen: list[str] = []

    async def slow() -> None:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            seen.append("timed out")

    async def short() -> None:
        seen.append("short")

    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        for job in (short, slow, short):
            tasks.add(job)

    assert seen == ["short", "short", "timed out"]


async def test_each_job_has_its_own_context() -> None:
    """What a job sets in a context variable no other job sees, also after it has waited."""
    seen: list[str] = []

    async def job(name: str, *, waits: bool) -> None:
        seen.append(WHO.get())
        WHO.set(name)
        if waits:
            await loop_has_come_round()
        assert WHO.get() == name

    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        tasks.add(lambda: job("a", waits=False))
        tasks.add(lambda: job("b", waits=True))
        tasks.add(lambda: job("c", waits=False))

    assert seen == ["nobody"] * 3
    assert WHO.get() == "nobody"


async def test_cancelling_ends_what_runs_and_forgets_the_rest() -> None:
    """A job that waits is cancelled, one that has not begun never begins."""
    seen: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("ended")

    async def never() -> None:
        seen.append("never")

    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        tasks.add(waits)
        await loop_has_come_round()
        tasks.add(never)
        tasks.cancel()

    assert seen == ["ended"]


async def test_an_exception_sent_into_a_job_is_the_jobs() -> None:
    """What a job awaits raises inside it, and it may go on."""
    seen: list[str] = []

    async def job() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_exception, OSError("no"))
        try:
            await future
        except OSError:
            seen.append("caught")

    async with asyncio.TaskGroup() as group:
        Tasks(group).add(job)

    assert seen == ["caught"]


async def test_outside_of_tasks_there_is_none() -> None:
    """Inside the block there is no task to use or to make, after it all is as before."""
    task = asyncio.current_task()
    with pytest.raises(ForeignTask, match="current task"), outside_of_tasks():
        async with asyncio.timeout(1):
            pass
    with pytest.raises(ForeignTask, match="a task for"), outside_of_tasks():
        await asyncio.gather(_made())

    assert asyncio.current_task() is task
    assert await asyncio.create_task(_made()) == "made"


async def _made() -> str:
    return "made"
