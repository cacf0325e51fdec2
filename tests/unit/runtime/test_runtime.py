import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from hitl_events import Decision, GateExpired, Retry, Run, current_step, recipe
from hitl_events.domain.events import GateClosed
from hitl_events.domain.values import RunId
from hitl_events.errors import LogUnavailable
from hitl_events.runtime.executor import THREADS_MAX
from tests.unit.runtime.conftest import Place
from tests.unit.runtime.played import Counting, gated
from tests.unit.turns import loop_has_come_round
from tests.unit.world import story


async def test_a_run_pauses_and_goes_on(place: Place) -> None:
    """Start, pause, decide, end: each call comes back when the run rests."""
    async with place.open(gated) as runtime:
        paused = await runtime.run("r", {"a": 1})
        ended = await runtime.decide(paused.token or "", "approve", decided_by="ann")
        late = await runtime.decide(paused.token or "", "deny")

    assert (paused.status, paused.artefact["gates"]["g"]["draft"]) == ("paused", {"a": 1})
    assert (ended.status, ended.artefact["result"]) == ("ok", ["approve", {"a": 1}])
    assert late.diagnostics[0].code == "resume.token_used"
    assert late.diagnostics[0].data["winner"]["decided_by"] == "ann"


async def test_a_new_process_goes_on_where_the_old_one_ended(place: Place) -> None:
    """The token of one process closes the gate in the next."""
    async with place.open(gated) as runtime:
        paused = await runtime.run("r", 1, run_id="a")
    async with place.open(gated) as runtime:
        again = await runtime.run("r", 1, run_id="a")
        ended = await runtime.decide(paused.token or "", "approve")

    assert again.to_json() == paused.to_json()
    assert ended.artefact["result"] == ["approve", 1]


async def test_what_ran_when_the_process_ended_runs_again(place: Place) -> None:
    """A step that is cut by the end of its process begins anew in the next one, by itself."""
    begun: list[int] = []
    hang = True

    async def step() -> str:
        begun.append(current_step().attempt)
        if hang:
            await asyncio.Event().wait()
        return "done"

    @recipe("slow", version="1")
    async def slow(run: Run, input: Any) -> Any:
        return await run.step(step)

    async with place.open(slow, drain_s=0) as runtime:
        call = asyncio.create_task(runtime.run("slow", run_id="a"))
        while not begun:
            await loop_has_come_round()
    with pytest.raises(LogUnavailable, match="closed"):
        await call
    hang = False
    async with place.open(slow) as runtime:
        outcome = await runtime.run("slow", run_id="a")

    assert (outcome.artefact["result"], begun) == ("done", [1, 1])


async def test_a_once_step_that_is_cut_is_asked_for(place: Place) -> None:
    """After the end of its process a once step opens its reconcile gate instead of running."""
    begun = asyncio.Event()

    async def send() -> None:
        begun.set()
        await asyncio.Event().wait()

    @recipe("once", version="1")
    async def once(run: Run, input: Any) -> Any:
        return await run.step(send, once=True)

    async with place.open(once, drain_s=0) as runtime:
        call = asyncio.create_task(runtime.run("once", run_id="a"))
        await begun.wait()
    await asyncio.wait([call])
    assert isinstance(call.exception(), LogUnavailable)
    async with place.open(once) as runtime:
        outcome = await runtime.run("once", run_id="a")

    assert (outcome.status, outcome.pause_kind) == ("paused", "reconcile")


async def test_many_calls_end_in_few_commits(place: Place) -> None:
    """What comes in while a commit is under way is written in the next one, together."""
    log = Counting(place.log())
    async with place.open(gated, log=log) as runtime:
        paused = await asyncio.gather(*(runtime.run("r", at) for at in range(200)))
        started = len(log.batches)
        ended = await asyncio.gather(
            *(runtime.decide(one.token or "", "approve") for one in paused)
        )

    assert {one.status for one in ended} == {"ok"}
    assert started <= 20
    assert len(log.batches) - started <= 20


async def test_no_step_begins_before_its_batch_is_written(place: Place) -> None:
    """When a step function runs, the events that caused it are in the log (P5)."""
    log = place.log()
    seen: list[list[str]] = []

    async def look(run_id: str) -> None:
        reader = place.log()
        values: Sequence[bytes] = (await reader.load([run_id]))[run_id]
        codec = runtime._codec
        seen.append(story([codec.decode(value) for value in values]))
        reader.close()

    @recipe("look", version="1")
    async def looking(run: Run, input: Any) -> Any:
        await run.step(look, run.id)
        await run.gate("g")
        await run.step(look, run.id, once=True)

    async with place.open(looking, log=log) as runtime:
        paused = await runtime.run("look", run_id="a")
        await runtime.decide(paused.token or "", "approve")

    assert seen == [
        ["RunStarted"],
        [
            "RunStarted",
            "StepCompleted look",
            "GatePaused g",
            "DecisionReceived g approve",
            "StepStarted look 2",
        ],
    ]


async def test_retries_and_expiry_are_fired_by_the_clock(place: Place) -> None:
    """A failed step is tried again at its time, a gate runs out at its end."""
    attempts: list[int] = []

    def flaky() -> None:
        attempts.append(current_step().attempt)
        if len(attempts) < 2:
            raise OSError("not yet")

    @recipe("timed", version="1")
    async def timed(run: Run, input: Any) -> Any:
        await run.step(flaky, retry=Retry(attempts=2, initial_s=3600))
        return (await run.gate("g", expires_in=3600, on_expiry="deny")).verdict

    async with place.open(timed) as runtime:
        call = asyncio.create_task(runtime.run("timed", run_id="a"))
        await place.until_story(runtime, "a", "StepFailed flaky again")
        place.clock.advance(3600)
        paused = await call
        place.clock.advance(3601)
        await place.until_status(runtime, "a", "ok")
        ended = await runtime.outcome("a")

    assert (paused.status, attempts) == ("paused", [1, 2])
    assert ended.artefact["result"] == "deny"


async def test_a_timer_that_is_overdue_comes_before_the_answer(place: Place) -> None:
    """Who takes up a run whose gate is over sees it expired, not paused."""

    @recipe("timed", version="1")
    async def timed(run: Run, input: Any) -> Any:
        return (await run.gate("g", expires_in=10, on_expiry="deny")).verdict

    async with place.open(timed) as runtime:
        await runtime.run("timed", run_id="a")
    place.clock.advance(11)
    async with place.open(timed) as runtime:
        outcome = await runtime.run("timed", run_id="a")

    assert (outcome.status, outcome.artefact["result"]) == ("ok", "deny")


async def test_gates_that_are_overdue_end_in_the_order_of_their_deadlines(place: Place) -> None:
    """Nobody ran when they ended: they end as they would have if somebody had."""

    @recipe("timed", version="1")
    async def timed(run: Run, input: Any) -> Any:
        async def wait(after: int) -> None:
            with suppress(GateExpired):
                await run.gate(f"{after}", expires_in=after)

        await run.all(*map(wait, (30, 10, 20)))

    async with place.open(timed) as runtime:
        await runtime.run("timed", run_id="a")
    place.clock.advance(60)
    async with place.open(timed) as runtime:
        outcome = await runtime.run("timed", run_id="a")
        events = await runtime.history(RunId("a"))

    closed = [(each.gate, each.reason) for each in events if isinstance(each, GateClosed)]
    assert (outcome.status, closed) == ("ok", [(gate, "expired") for gate in ("10", "20", "30")])


async def test_steps_that_block_run_in_threads(place: Place) -> None:
    """Plain functions do not hold up the loop, run at the same time, and know their step."""
    both = threading.Barrier(2, timeout=10)
    threads: set[str] = set()

    def blocking() -> str:
        threads.add(threading.current_thread().name)
        both.wait()
        return current_step().key

    @recipe("two", version="1")
    async def two(run: Run, input: Any) -> Any:
        return await run.all(run.step(blocking), run.step(blocking))

    async with place.open(two) as runtime:
        outcome = await runtime.run("two", run_id="a")

    assert outcome.artefact["result"] == ["a:blocking:1", "a:blocking:2"]
    assert threading.current_thread().name not in threads


async def test_threads_are_bounded(place: Place) -> None:
    """However many plain functions are to run, at most THREADS_MAX do at a time."""
    at_work: set[int] = set()
    most: list[int] = []
    lock = threading.Lock()
    full = threading.Event()

    def blocking(number: int) -> None:
        with lock:
            at_work.add(number)
            most.append(len(at_work))
            if len(at_work) == THREADS_MAX:
                full.set()
        full.wait(10)
        with lock:
            at_work.discard(number)

    @recipe("many", version="1")
    async def many(run: Run, input: Any) -> Any:
        await run.all(*(run.step(blocking, at) for at in range(3 * THREADS_MAX)))

    async with place.open(many) as runtime:
        outcome = await runtime.run("many")

    assert outcome.status == "ok"
    assert max(most) == THREADS_MAX


class Sent(BaseModel):
    """Data whose fields have other names in JSON."""

    model_config = ConfigDict(extra="forbid")

    reference: str = Field(alias="ref")


async def test_a_decision_may_bring_its_model(place: Place) -> None:
    """The gate's own model as data fits the gate, also where its fields have aliases."""

    @recipe("typed", version="1")
    async def typed(run: Run, input: Any) -> Any:
        made: Decision[Sent] = await run.gate("g", data=Sent)
        return made.data and made.data.reference

    async with place.open(typed) as runtime:
        paused = await runtime.run("typed")
        ended = await runtime.decide(paused.token or "", "approve", data=Sent(ref="L-7"))

    assert ended.artefact["result"] == "L-7"
    assert ended.artefact["gates"]["g"]["decision"]["data"] == {"ref": "L-7"}
