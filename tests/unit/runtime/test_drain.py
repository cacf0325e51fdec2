"""Closing a runtime: what runs may end and is recorded, nothing new begins."""

import asyncio
from typing import Any

import pytest

from hitl_events import Retry, Run, recipe
from hitl_events.domain.values import RunId
from hitl_events.errors import LogUnavailable
from tests.unit.runtime.conftest import Place
from tests.unit.world import story


class Held:
    """A step that the test lets go."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.go = asyncio.Event()
        self._came = asyncio.Event()

    async def step(self, name: str) -> str:
        self.begun.append(name)
        self._came.set()
        await self.go.wait()
        return name

    async def has_begun(self, times: int) -> None:
        async with asyncio.timeout(20):
            while len(self.begun) < times:
                self._came.clear()
                await self._came.wait()


def two_steps(held: Held) -> Any:
    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        first = await run.step(held.step, "first", once=True)
        return [first, await run.step(held.step, "second", once=True)]

    return body


async def test_a_step_that_runs_is_recorded_before_the_end(place: Place) -> None:
    """A once step under way at the close ends well; the next process goes on behind it."""
    held = Held()
    body = two_steps(held)
    async with place.open(body) as runtime:
        call = asyncio.create_task(runtime.run("r", run_id="a"))
        await held.has_begun(1)
        asyncio.get_running_loop().call_later(0.02, held.go.set)
    with pytest.raises(LogUnavailable, match="closed"):
        await call
    assert held.begun == ["first"]
    async with place.open(body) as runtime:
        outcome = await runtime.run("r", run_id="a")
        events = story(await runtime.history(RunId("a")))

    assert outcome.artefact["result"] == ["first", "second"]
    assert held.begun == ["first", "second"]
    assert not [line for line in events if "reconcile" in line]


async def test_the_time_to_end_is_bounded(place: Place) -> None:
    """A step that does not end in time is cut; the run knows."""
    held = Held()
    body = two_steps(held)
    async with place.open(body, drain_s=0.02) as runtime:
        call = asyncio.create_task(runtime.run("r", run_id="a"))
        await held.has_begun(1)
    await asyncio.wait([call])
    async with place.open(body, drain_s=0) as runtime:
        outcome = await runtime.run("r", run_id="a")

    assert isinstance(call.exception(), LogUnavailable)
    assert outcome.pause_kind == "reconcile"


async def test_an_error_in_the_users_block_waits_for_nothing(place: Place) -> None:
    """Where the block fails or is cancelled the runtime ends at once."""
    held = Held()
    body = two_steps(held)

    async def block() -> None:
        async with place.open(body, drain_s=3600) as runtime:
            call = asyncio.create_task(runtime.run("r"))
            await held.has_begun(1)
            call.add_done_callback(lambda done: done.exception())
            raise KeyError("mine")

    async with asyncio.timeout(20):
        with pytest.raises(KeyError):
            await block()


async def test_nothing_new_begins_while_it_ends(place: Place) -> None:
    """A retry that would be due at once is left to the next owner, which finds it."""
    held = Held()

    async def fails() -> None:
        await held.step("fails")
        if len(held.begun) < 2:
            raise OSError("no")

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(fails, retry=Retry(attempts=2, initial_s=0))

    async with place.open(body) as runtime:
        call = asyncio.create_task(runtime.run("r", run_id="a"))
        await held.has_begun(1)
        asyncio.get_running_loop().call_later(0.02, held.go.set)
    await asyncio.wait([call])
    assert isinstance(call.exception(), LogUnavailable)
    assert held.begun == ["fails"]
    async with place.open(body) as runtime, asyncio.timeout(20):
        outcome = await runtime.run("r", run_id="a")

    assert (outcome.status, held.begun) == ("ok", ["fails", "fails"])


async def test_an_idle_runtime_ends_at_once(place: Place) -> None:
    """Without running steps there is nothing to wait for."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.gate("g")

    async with asyncio.timeout(20):
        async with place.open(body, drain_s=3600) as runtime:
            await runtime.run("r")
