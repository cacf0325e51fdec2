"""Gates do not expire before it is heard who decided elsewhere; all else goes on meanwhile."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from hitl_events import Retry, Run, recipe
from hitl_events.domain.values import EPOCH
from tests.unit.runtime.conftest import Place


class Log:
    """An opening whose other intakes are heard up to a moment."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self.moment = EPOCH

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def heard(self, due: datetime, now: datetime) -> datetime:
        return min(self.moment, now)


@recipe("timed", version="1")
async def timed(run: Run, seconds: int) -> Any:
    return (await run.gate("g", expires_in=seconds, on_expiry="deny")).verdict


async def test_a_gate_expires_up_to_the_moment_that_was_heard(place: Place) -> None:
    """Not those whose time was over later, and a decision has its way meanwhile."""
    log = Log(place.log())
    async with place.open(timed, log=log) as runtime:
        first = place.clock.now()
        for run_id, seconds in (("a", 10), ("b", 20)):
            await runtime.run("timed", seconds, run_id=run_id)
        decided = await runtime.run("timed", 3600, run_id="c")
        place.clock.advance(30)
        ended = await runtime.decide(decided.token or "", "approve")
        unheard = [(await runtime.outcome(run_id)).status for run_id in ("a", "b")]

        log.moment = first + timedelta(seconds=15)
        await place.until_status(runtime, "a", "ok")
        other = (await runtime.outcome("b")).status
        log.moment = place.clock.now()
        await place.until_status(runtime, "b", "ok")

    assert ended.artefact["result"] == "approve"
    assert (unheard, other) == (["paused", "paused"], "paused")


async def test_a_step_is_tried_again_whatever_was_heard(place: Place) -> None:
    """Its pause has nothing to do with decisions."""
    tries: list[int] = []

    def fail_once() -> None:
        tries.append(1)
        if len(tries) < 2:
            raise OSError("not yet")

    @recipe("tried", version="1")
    async def tried(run: Run, input: Any) -> None:
        await run.step(fail_once, retry=Retry(attempts=2, initial_s=10))

    log = Log(place.log())
    async with place.open(timed, tried, log=log) as runtime:
        await runtime.run("timed", 5, run_id="a")
        call = asyncio.create_task(runtime.run("tried", run_id="b"))
        await place.until_story(runtime, "b", "StepFailed fail_once again")
        place.clock.advance(10)
        outcome = await call
        gate = (await runtime.outcome("a")).status

    assert (outcome.status, len(tries), gate) == ("ok", 2, "paused")
