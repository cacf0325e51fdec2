"""Where steps are at work: they outlive a runner, and the next one joins them."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from hitl_events import Run, recipe
from hitl_events.engine.inputs import StepReport, StepStart
from hitl_events.runtime.bench import Bench
from hitl_events.testing import ManualClock
from tests.unit.world import RUN, World

PLACE = (RUN, ("step", "held", 1))


class Reports(list[StepReport]):
    """What was told of ends; `came` once there is one."""

    def __init__(self, came: asyncio.Event) -> None:
        super().__init__()
        self.came = came

    def append(self, report: StepReport) -> None:
        super().append(report)
        self.came.set()


class Work:
    """A bench, a step that the test lets go, and who heard of its end."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self.ended = asyncio.Event()
        self.alone = Reports(self.ended)
        self.heard = Reports(self.ended)
        self.bench = Bench(group, ManualClock(), self.alone.append)
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.start = self._start()

    async def held(self) -> str:
        self.begun.set()
        await self.go.wait()
        return "out"

    def _start(self) -> StepStart:
        @recipe("r", version="1")
        async def body(run: Run, input: Any) -> Any:
            return await run.step(self.held)

        world = World(body)
        world.ask(world.starting("r"))
        (start,) = world.held
        return start

    async def begin(self) -> None:
        """The step is at work for a runner."""
        self.bench.take(self.heard.append)
        self.bench.begin(self.start, 0.0)
        await self.begun.wait()

    async def end(self) -> None:
        """It ends, and whoever hears of it does."""
        self.go.set()
        await self.ended.wait()


@pytest.fixture
async def work() -> AsyncGenerator[Work]:
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        made = Work(group)
        yield made
        made.bench.close()


async def test_a_runner_hears_of_the_ends_of_its_steps(work: Work) -> None:
    """Nobody else does, and once they are recorded nothing is left."""
    await work.begin()
    await work.end()

    assert (len(work.heard), work.alone, work.bench.is_idle) == (1, [], False)
    work.bench.recorded(work.heard)
    assert work.bench.is_idle


async def test_a_step_runs_on_when_its_runner_goes(work: Work) -> None:
    """Its end is for whoever has the partition then."""
    await work.begin()
    work.bench.leave()
    await work.end()

    assert work.heard == []
    assert [report.output for report in work.alone] == [b'"out"']


async def test_the_next_runner_joins_it(work: Work) -> None:
    """It is told what is at work, and hears of the end."""
    await work.begin()
    work.bench.leave()

    joined = work.bench.take(work.heard.append)
    await work.end()

    assert joined == {PLACE: 1}
    assert (len(work.heard), work.alone) == (1, [])


async def test_an_end_between_two_runners_is_told_to_both_sides(work: Work) -> None:
    """Whoever owns the partition next, here or elsewhere, gets it; twice does no harm."""
    await work.begin()
    work.bench.leave()
    await work.end()

    joined = work.bench.take(work.heard.append)

    assert joined == {PLACE: 1}
    assert work.heard == work.alone


async def test_an_end_that_was_not_recorded_is_told_again(work: Work) -> None:
    """The transaction that held it failed: nobody knows what became of it."""
    await work.begin()
    await work.end()
    work.bench.leave()

    assert work.alone == work.heard
    assert work.bench.take(work.heard.append) == {PLACE: 1}
    assert len(work.heard) == 2


async def test_what_has_not_begun_never_will(work: Work) -> None:
    """It was to begin when the runner went: the next owner begins it."""
    work.bench.take(work.heard.append)
    before = asyncio.all_tasks()
    work.bench.begin(work.start, 0.0)
    begun = asyncio.all_tasks() - before

    work.bench.leave()
    await asyncio.wait(begun, timeout=10)

    assert [task.done() for task in begun] == [True]
    assert not work.begun.is_set()
    assert work.bench.is_idle


async def test_a_closed_bench_cancels_what_runs(work: Work) -> None:
    """Nobody hears of it any more."""
    before = asyncio.all_tasks()
    await work.begin()
    begun = asyncio.all_tasks() - before
    work.bench.close()
    await asyncio.wait(begun, timeout=10)

    assert [task.done() for task in begun] == [True]
    assert (work.heard, work.alone, work.bench.is_idle) == ([], [], True)
