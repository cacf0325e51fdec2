"""Steps of a process beyond the ownership of their partitions: how long, and when it ends."""

import asyncio

from hitl_events.clustered.benches import Benches
from hitl_events.engine.inputs import StepReport
from hitl_events.testing import ManualClock
from tests.unit.runtime.test_bench import Reports, Work
from tests.unit.turns import loop_has_come_round


class Held(Work):
    """Work at the bench of partition 3."""

    def __init__(self, benches: Benches) -> None:
        self.ended = asyncio.Event()
        self.alone = Reports(self.ended)
        self.heard = Reports(self.ended)
        self.bench = benches.bench(3)
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.start = self._start()

    async def outlives(self, benches: Benches) -> None:
        """It is at work, and its partition goes."""
        await self.begin()
        self.bench.leave()
        benches.left(3)


async def test_a_step_is_joined_at_the_same_bench() -> None:
    """The partition came back before the step had ended."""
    async with asyncio.timeout(20), Benches(ManualClock(), list[StepReport]().append) as benches:
        held = Held(benches)
        await held.outlives(benches)

        again = benches.bench(3)

        assert again is held.bench
        assert len(again.take(held.heard.append)) == 1


async def test_a_step_has_its_time_and_no_more() -> None:
    """Then it is cancelled: whoever has the partition has found its own way by then."""
    alone: list[StepReport] = []
    async with asyncio.timeout(20), Benches(ManualClock(), alone.append, outlive_s=0) as benches:
        held = Held(benches)
        await held.outlives(benches)
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
        assert held.bench.is_idle

    assert alone == []


async def test_takeovers_that_fail_leave_no_second_end_behind() -> None:
    """It would come while the partition is served again: its steps would end unheard, for ever."""
    alone: list[StepReport] = []
    async with asyncio.timeout(20), Benches(ManualClock(), alone.append, outlive_s=0) as benches:
        held = Held(benches)
        await held.outlives(benches)
        benches.left(3)  # a takeover failed before it asked for the bench
        again = benches.bench(3)
        again.take(held.heard.append)
        await loop_has_come_round()

        assert benches.bench(3) is again
        await held.end()

    assert [report.output for report in held.heard] == [b'"out"']


async def test_what_runs_at_the_end_of_the_process_is_cancelled() -> None:
    """The end waits for no step."""
    alone: list[StepReport] = []
    async with asyncio.timeout(20), Benches(ManualClock(), alone.append) as benches:
        held = Held(benches)
        await held.outlives(benches)

    assert (alone, held.bench.is_idle) == ([], True)


async def test_an_end_without_an_owner_is_told() -> None:
    """It is sent to whoever has the partition."""
    alone = Reports(asyncio.Event())
    async with asyncio.timeout(20), Benches(ManualClock(), alone.append) as benches:
        held = Held(benches)
        held.alone, held.ended = alone, alone.came
        await held.outlives(benches)
        await held.end()

    assert [report.output for report in alone] == [b'"out"']


async def test_an_idle_bench_is_put_away() -> None:
    """Partitions that come and go leave no threads behind."""
    async with Benches(ManualClock(), list[StepReport]().append) as benches:
        first = benches.bench(3)
        benches.left(3)
        benches.left(4)

        assert benches.bench(3) is not first
