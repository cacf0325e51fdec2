import asyncio
import gc
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from hitl_events import Retry, Run, Runtime, StepError, current_step, recipe
from hitl_events.domain.values import RunId
from hitl_events.errors import LogUnavailable
from hitl_events.runtime.executor import THREADS_MAX
from tests.unit.runtime.conftest import Place
from tests.unit.world import story


def echo(value: Any = None) -> Any:
    return value


async def aecho(value: Any = None) -> Any:
    return value


@recipe("r", version="1")
async def gated(run: Run, input: Any) -> Any:
    drafted = await run.step(aecho, input, name="draft")
    made = await run.gate("g", draft=drafted)
    return [made.verdict, await run.step(aecho, input, once=True)]


class Counting:
    """An opening of a log that counts its commits."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self.batches: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, batch: Any) -> None:
        self.batches.append(batch)
        await self._log.append(batch)


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
            await asyncio.sleep(0)
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
        await _until_story(runtime, "a", "StepFailed flaky again")
        place.clock.advance(3600)
        paused = await call
        place.clock.advance(3601)
        await _until_status(runtime, "a", "ok")
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


async def test_a_waiting_caller_may_be_cancelled(place: Place) -> None:
    """The call ends at once, the run goes on, and others still get their answers."""
    hold = asyncio.Event()

    async def step() -> str:
        await hold.wait()
        return "done"

    @recipe("slow", version="1")
    async def slow(run: Run, input: Any) -> Any:
        return await run.step(step)

    async with place.open(slow) as runtime:
        call = asyncio.create_task(runtime.run("slow", run_id="a"))
        other = asyncio.create_task(runtime.run("slow", run_id="a"))
        await _until_status(runtime, "a", "running")
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled()
        hold.set()
        outcome = await other

    assert outcome.artefact["result"] == "done"


async def test_a_run_can_be_cancelled_while_its_step_runs(place: Place) -> None:
    """Cancelling waits for the step that runs, and then the run is over for all who wait."""
    hold, begun = asyncio.Event(), asyncio.Event()

    async def step() -> None:
        begun.set()
        await hold.wait()

    @recipe("slow", version="1")
    async def slow(run: Run, input: Any) -> Any:
        await run.step(step)

    async with place.open(slow) as runtime:
        call = asyncio.create_task(runtime.run("slow", run_id="a"))
        await begun.wait()
        cancelling = asyncio.create_task(runtime.cancel("a", "why"))
        await _until_story(runtime, "a", "CancelRequested")
        hold.set()
        both = await asyncio.gather(call, cancelling)

    assert [one.diagnostics[0].code for one in both] == ["run.cancelled"] * 2


async def test_unblocking_what_goes_on_answers(place: Place) -> None:
    """Unblocking a paused run gives its outcome, of nobody a refusal."""
    async with place.open(gated) as runtime:
        await runtime.run("r", 1, run_id="a")
        async with asyncio.timeout(10):
            paused = await runtime.unblock("a")
            nobody = await runtime.unblock("nobody")

    assert paused.status == "paused"
    assert nobody.diagnostics[0].code == "command.unknown_run"


async def test_a_given_handle_is_started_in_its_version(place: Place) -> None:
    """Passing a handle starts that version, also where a later one is registered."""

    def version(number: str) -> Any:
        @recipe("v", version=number)
        async def body(run: Run, input: Any) -> Any:
            return number

        return body

    one, two = version("1"), version("2")
    async with place.open(one, two) as runtime:
        outcomes = [await runtime.run(one), await runtime.run(one, run_id="x")]
        named = await runtime.run("v")

    assert [outcome.artefact["result"] for outcome in (*outcomes, named)] == ["1", "1", "2"]


async def test_an_unknown_recipe_lists_those_there_are(place: Place) -> None:
    """The refusal names what is registered."""
    async with place.open(gated) as runtime:
        outcome = await runtime.run("nobody")

    assert outcome.diagnostics[0].code == "command.unknown_recipe"
    assert "r (version 1)" in outcome.diagnostics[0].message


@pytest.mark.parametrize("strict", [False, True])
async def test_changed_arguments_block_under_strict_diagnostics(
    place: Place, *, strict: bool
) -> None:
    """By default the recorded output is taken, under strict the run blocks."""

    def made(argument: int) -> Any:
        @recipe("c", version="1")
        async def body(run: Run, input: Any) -> Any:
            await run.step(echo, argument)
            return (await run.gate("g")).verdict

        return body

    async with place.open(made(1)) as runtime:
        paused = await runtime.run("c")
    diagnostics = "strict" if strict else "default"
    async with place.open(made(2), diagnostics=diagnostics) as runtime:
        outcome = await runtime.decide(paused.token or "", "approve")

    if strict:
        assert [one.code for one in outcome.diagnostics] == ["recipe.changed_arguments"]
    else:
        assert outcome.artefact["result"] == "approve"


async def test_a_recipe_has_no_hand_on_the_runners_task(place: Place) -> None:
    """`asyncio.timeout` and `current_task` in a recipe fail that recipe, nothing else."""

    @recipe("hand", version="1")
    async def hand(run: Run, input: Any) -> Any:
        async with asyncio.timeout(0.001):
            await run.gate("g")

    async with place.open(hand, gated) as runtime:
        outcome = await runtime.run("hand")
        other = await runtime.run("r")

    assert outcome.diagnostics[0].code == "recipe.failed"
    assert other.status == "paused"


async def test_an_error_in_the_users_block_is_that_error(place: Place) -> None:
    """What is raised inside `async with Runtime.open` leaves it as it is."""
    with pytest.raises(KeyError, match="mine"):
        async with place.open(gated) as runtime:
            await runtime.run("r")
            raise KeyError("mine")


async def test_a_closed_runtime_says_so(place: Place) -> None:
    """A call after the end is an error and does not hang."""
    async with place.open(gated) as runtime:
        pass
    async with asyncio.timeout(10):
        with pytest.raises(LogUnavailable, match="closed"):
            await runtime.run("r")


async def test_closing_leaves_nothing_behind(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Callers that are cut get LogUnavailable; no task, thread or unheard exception stays."""
    hang = asyncio.Event()

    @recipe("slow", version="1")
    async def slow(run: Run, input: Any) -> Any:
        await run.step(hang.wait, name="hang")

    async with place.open(slow, gated, drain_s=0) as runtime:
        calls = [asyncio.create_task(runtime.run("slow")) for _ in range(3)]
        forgotten = asyncio.create_task(runtime.run("slow"))
        await runtime.run("r")
        forgotten.cancel()
    found = await asyncio.gather(*calls, forgotten, return_exceptions=True)
    gc.collect()

    assert [type(error) for error in found] == [LogUnavailable] * 3 + [asyncio.CancelledError]
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not [thread for thread in threading.enumerate() if thread.name == "hitl-watchdog"]
    assert caplog.records == []


async def test_events_are_read_in_order(place: Place) -> None:
    """`events` gives what is recorded, `outcome` folds it, of nobody there is nothing."""
    async with place.open(gated) as runtime:
        await runtime.run("r", run_id="a")
        events = [event async for event in runtime.events("a")]
        nobody = await runtime.outcome("nobody")

    assert story(events) == ["RunStarted", "StepCompleted draft", "GatePaused g"]
    assert (nobody.status, nobody.run_id) == ("error", None)


async def test_a_step_may_use_the_runtime(place: Place) -> None:
    """A step can start another run and wait for it; the loop is not held up."""

    @recipe("outer", version="1")
    async def outer(run: Run, input: Any) -> Any:
        async def start() -> Any:
            return (await runtime.run("inner", 5)).artefact["result"]

        return await run.step(start)

    @recipe("inner", version="1")
    async def inner(run: Run, input: Any) -> Any:
        return await run.step(echo, input)

    async with place.open(outer, inner) as runtime, asyncio.timeout(10):
        outcome = await runtime.run("outer")

    assert outcome.artefact["result"] == 5


async def test_what_a_step_raises_is_caught_in_the_recipe(place: Place) -> None:
    """A StepError reaches the recipe with the type and text of the cause."""

    def broken() -> None:
        raise ValueError("no")

    @recipe("catch", version="1")
    async def catch(run: Run, input: Any) -> Any:
        try:
            await run.step(broken)
        except StepError as error:
            return [error.error, error.message]

    async with place.open(catch) as runtime:
        assert (await runtime.run("catch")).artefact["result"] == ["ValueError", "no"]


async def _until_status(runtime: Runtime, run_id: str, status: str) -> None:
    async with asyncio.timeout(10):
        while (await runtime.outcome(run_id)).status != status:
            await asyncio.sleep(0)


async def _until_story(runtime: Runtime, run_id: str, last: str) -> None:
    async with asyncio.timeout(10):
        while story(await runtime.history(RunId(run_id)))[-1:] != [last]:
            await asyncio.sleep(0)
