"""The runtime at its edges: callers that go, code that does not fit, and the end."""

import asyncio
import gc
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from hitl_events import HitlError, Outcome, Run, Runtime, StepError, recipe
from hitl_events.domain.values import RunId
from hitl_events.errors import LogUnavailable, NoThread, RunLeft
from tests.unit.runtime.conftest import Place
from tests.unit.runtime.played import echo, gated
from tests.unit.world import story


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
        await place.until_status(runtime, "a", "running")
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
        await place.until_story(runtime, "a", "CancelRequested")
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
    """By default the recorded output is taken and the outcome says so, under strict it blocks."""

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

    told = [(one.level, one.code, one.data["at_seq"]) for one in outcome.diagnostics]
    assert told == [("error" if strict else "warn", "recipe.changed_arguments", 2)]
    assert outcome.artefact["result"] == (None if strict else "approve")


async def _limit(run: Run) -> Any:
    async with asyncio.timeout(0.001):
        return await run.gate("g")


async def _group(run: Run) -> Any:
    async with asyncio.TaskGroup() as group:
        group.create_task(_ask(run))


async def _leave(run: Run) -> Any:
    asking = asyncio.create_task(_ask(run))
    await run.step(len, "paid", name="pay")
    return asking.done()


async def _swallow(run: Run) -> Any:
    with suppress(Exception):
        return await asyncio.gather(run.gate("g"), run.gate("h"))


async def _ask(run: Run) -> Any:
    return await run.gate("g")


async def _cancel(run: Run) -> Any:
    task = asyncio.current_task()
    return task is None or task.cancel()


@pytest.mark.parametrize("wrong", [_limit, _group, _leave, _swallow, _cancel])
async def test_a_recipe_has_no_hand_on_tasks(
    place: Place, wrong: Callable[[Run], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """What makes tasks or uses the current one is told so before anything follows it."""

    @recipe("wrong", version="1")
    async def body(run: Run, input: Any) -> Any:
        return await wrong(run)

    async with place.open(body, gated) as runtime:
        outcome = await runtime.run("wrong")
        other = await runtime.run("r")
    gc.collect()

    assert [one.kind for one in outcome.trace] == ["run.start", "run.blocked"]
    assert outcome.diagnostics[0].code == "recipe.foreign_await"
    assert (other.status, caplog.records) == ("paused", [])


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


async def test_a_call_on_another_loop_is_refused(place: Place) -> None:
    """A thread with a loop of its own is told how to call; it would wait for ever."""

    async def call(runtime: Runtime) -> Outcome:
        async with asyncio.timeout(5):
            return await runtime.run(gated, run_id="a")

    async with place.open(gated) as runtime:
        loop = asyncio.get_running_loop()
        with pytest.raises(HitlError, match="run_coroutine_threadsafe"):
            await asyncio.to_thread(lambda: asyncio.run(call(runtime)))
        asked = asyncio.run_coroutine_threadsafe(call(runtime), loop)
        outcome = await asyncio.wrap_future(asked)

    assert outcome.status == "paused"


async def test_closing_leaves_nothing_behind(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Callers that are cut are told their run; no task, thread or unheard exception stays."""
    hang = asyncio.Event()
    before = set(threading.enumerate())

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

    assert [type(error) for error in found] == [RunLeft] * 3 + [asyncio.CancelledError]
    assert asyncio.all_tasks() == {asyncio.current_task()}
    left = set(threading.enumerate()) - before
    assert not [thread for thread in left if thread.name == "hitl-watchdog"]
    assert caplog.records == []


async def test_a_process_without_threads_leaves_a_step_to_the_next(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits is told the run, every later call why; nothing is recorded, and it runs later."""

    def double(number: int) -> int:
        return number * 2

    @recipe("plain", version="1")
    async def body(run: Run, input: int) -> int:
        return await run.step(double, input)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        async with place.open(body) as runtime, asyncio.timeout(20):
            with pytest.raises(RunLeft, match="ulimit -u"):
                await runtime.run("plain", 2, run_id="a")
            with pytest.raises(NoThread):
                await runtime.run("plain", 3)
            assert story(await runtime.history(RunId("a"))) == ["RunStarted"]
    async with place.open(body) as runtime:
        outcome = await runtime.run("plain", 2, run_id="a")

    assert outcome.artefact["result"] == 4


async def test_recipes_that_wait_end_with_their_runtime(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What their `finally` blocks ask for is ignored without a word, however much that is."""
    said: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", said.append)
    left: list[str] = []

    @recipe("tidy", version="1")
    async def tidy(run: Run, input: Any) -> Any:
        try:
            await run.gate("g")
        finally:
            left.append("first")
            try:
                await run.step(echo, 1)
            finally:
                await run.step(echo, 2)
                left.append("never")

    async with place.open(tidy) as runtime:
        await runtime.run("tidy", run_id="a")
        assert left == []

    assert left == ["first"]
    gc.collect()
    assert said == []


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
