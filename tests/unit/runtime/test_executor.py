import asyncio
import threading
import types
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from contextvars import ContextVar, copy_context
from enum import Enum
from typing import Any

import pytest

from hitl_events import Run, recipe
from hitl_events.engine.inputs import StepReport, StepStart
from hitl_events.errors import HitlError, NoThread
from hitl_events.runtime import executor as module
from hitl_events.runtime.executor import Executor
from hitl_events.testing import ManualClock
from tests.unit.turns import loop_has_come_round
from tests.unit.world import World

WHO: ContextVar[str] = ContextVar("who", default="nobody")


class Steps:
    """An executor, and the steps that a recipe starts for it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.reports: list[StepReport] = []
        self.failures: list[HitlError] = []
        self.executor = Executor(self.clock, self.reports.append, self.failures.append)

    def start(self, function: Any, *args: Any, **options: Any) -> StepStart:
        @recipe("r", version="1")
        async def body(run: Run, input: Any) -> Any:
            await run.step(function, *args, **options)

        world = World(body)
        world.ask(world.starting("r"))
        (start,) = world.held
        return start

    async def run(self, function: Any, *args: Any, **options: Any) -> StepReport:
        await self.executor.run(self.start(function, *args, **options), 0.0)
        return self.reports[-1]


@pytest.fixture
def steps() -> Any:
    made = Steps()
    yield made
    made.executor.close()


class Caller:
    async def __call__(self, value: int) -> int:
        return value + 1

    async def method(self, value: int) -> int:
        return value + 2


async def coroutine(value: int) -> int:
    return value


def plain(value: int) -> int:
    return value


def gives_coroutine(value: int) -> Any:
    return coroutine(value + 3)


@pytest.mark.parametrize(
    ("function", "output"),
    [
        (plain, b"1"),
        (coroutine, b"1"),
        (Caller(), b"2"),
        (Caller().method, b"3"),
        (gives_coroutine, b"4"),
    ],
)
async def test_every_kind_of_function_is_a_step(steps: Steps, function: Any, output: bytes) -> None:
    """Plain and async functions, objects, methods, and functions that give a coroutine."""
    assert (await steps.run(function, 1, name="s")).output == output


async def test_async_steps_run_on_the_loop_and_plain_ones_in_threads(steps: Steps) -> None:
    """A plain function never runs in the thread of the loop."""
    seen: list[str] = []

    async def on_loop() -> None:
        seen.append(threading.current_thread().name)

    def in_thread() -> None:
        seen.append(threading.current_thread().name)

    await steps.run(on_loop)
    await steps.run(in_thread)

    assert seen[0] == threading.current_thread().name
    assert seen[1].startswith("hitl-step")


async def test_a_plain_function_sees_context_variables(steps: Steps) -> None:
    """The context is that of the attempt, and what the function sets stays in it."""
    WHO.set("caller")

    def step() -> str:
        found = WHO.get()
        WHO.set("step")
        return found

    report = await steps.run(step)

    assert report.output == b'"caller"'
    assert WHO.get() == "caller"


async def test_the_report_says_how_long_it_took(steps: Steps) -> None:
    """The duration is measured on the monotonic clock, in microseconds."""

    async def step() -> None:
        steps.clock.advance(1.5)

    assert (await steps.run(step)).duration_us == 1_500_000


async def test_an_attempt_that_is_cancelled_reports_nothing(steps: Steps) -> None:
    """Its process is ending: the log knows that it is to run again."""
    begun = asyncio.Event()

    async def step() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(steps.executor.run(steps.start(step), 0.0))
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert steps.reports == []


async def test_a_cancellation_of_the_steps_own_making_is_a_failure(steps: Steps) -> None:
    """A step that awaits something that was cancelled has failed; it is not our end."""

    async def step() -> None:
        inner = asyncio.create_task(asyncio.Event().wait())
        asyncio.get_running_loop().call_soon(inner.cancel)
        await inner

    report = await steps.run(step)

    assert (report.output, report.error) == (None, "CancelledError")


async def test_a_plain_function_that_runs_out_of_items_fails(steps: Steps) -> None:
    """`next` of an empty iterator raises what no future can hold; the step ends all the same."""

    def first() -> int:
        return next(iter([]))

    async with asyncio.timeout(5):
        report = await steps.run(first)

    assert (report.error, report.message) == (
        "RuntimeError",
        "plain function raised StopIteration",
    )


async def test_a_step_may_have_timeouts_of_its_own(steps: Steps) -> None:
    """`asyncio.timeout` inside a step works, beside that of the step itself."""

    async def step() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            return "own"
        return "none"

    assert (await steps.run(step, timeout_s=60)).output == b'"own"'


class Corner(Enum):
    TOP = (0, 1)


async def test_an_output_that_could_not_be_read_back_is_told_before_the_step_runs(
    steps: Steps,
) -> None:
    """What was done would else be lost, of a `once` step for good: its record fits no type."""
    ran: list[str] = []

    def step() -> Corner:
        ran.append("")
        return Corner.TOP

    report = await steps.run(step, once=True)

    assert (report.error, ran) == ("RecipeError", [])


async def test_arguments_that_do_not_fit_fail_the_step(steps: Steps) -> None:
    """A wrong call is a failure with the reason, like an error in the function."""

    def step(value: int) -> None: ...

    assert (await steps.run(step)).error == "TypeError"
    assert (await steps.run(step, "x")).error == "InvalidInput"


async def test_closing_does_not_wait_for_threads(steps: Steps) -> None:
    """A function that hangs in its thread holds up nobody's end."""
    go, began = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang() -> None:
        loop.call_soon_threadsafe(began.set)
        go.wait(20)

    async with asyncio.timeout(20):
        task = asyncio.create_task(steps.executor.run(steps.start(hang), 0.0))
        await began.wait()
        steps.executor.close()
        go.set()
        await asyncio.wait([task])


@asynccontextmanager
async def _no_thread_is_free(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[asyncio.TaskGroup]:
    """The only one is at work in a step `first` until the block ends; all is over then."""
    monkeypatch.setattr(module, "THREADS_MAX", 1)
    async with _one_is_at_work(steps) as group:
        yield group


@asynccontextmanager
async def _one_is_at_work(steps: Steps) -> AsyncGenerator[asyncio.TaskGroup]:
    """A thread, in a step `first` until the block ends; all is over then."""
    go, began = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def first() -> None:
        loop.call_soon_threadsafe(began.set)
        go.wait(20)

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(steps.executor.run(steps.start(first), 0.0))
        await began.wait()
        yield group
        go.set()


async def test_what_waits_for_a_thread_begins_no_more_once_it_was_let_go(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its partition may have another owner, which has the result by the time a thread is free."""
    ran: list[str] = []

    async with _no_thread_is_free(steps, monkeypatch) as group:
        queued = group.create_task(
            steps.executor.run(steps.start(lambda: ran.append(""), name="s"), 0.0)
        )
        await loop_has_come_round()
        assert [key[1] for _, key in steps.executor.begun] == ["first"]
        steps.executor.let_go()

    assert queued.done()
    assert ran == []
    assert [report.key[1] for report in steps.reports] == ["first"]
    assert steps.executor.begun == {}


async def test_a_once_step_that_waited_too_long_for_a_thread_is_uncertain(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may be asked about it by then, so it does not begin."""
    ran: list[str] = []
    late = steps.start(lambda: ran.append(""), name="s", once=True)

    async with _no_thread_is_free(steps, monkeypatch) as group:
        group.create_task(steps.executor.run(late, 0.0))
        await loop_has_come_round()
        steps.clock.advance(module.ONCE_START_S_MAX + 1)

    assert ran == []
    assert [report.uncertain for report in steps.reports if report.key[1] == "s"] == [True]


def _no_thread_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under `ulimit -u`, once all that it allows are there."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


async def test_a_step_without_a_thread_has_not_failed(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the process's trouble: nothing is reported of the step, and it never begins later."""
    ran: list[str] = []
    start = steps.start(lambda: ran.append(""), name="s")
    with monkeypatch.context() as patched:
        _no_thread_starts(patched)
        await steps.executor.run(start, 0.0)

    (failure,) = steps.failures
    assert isinstance(failure, NoThread)
    assert "ulimit -u" in str(failure)
    assert (steps.reports, steps.executor.begun) == ([], {})
    await steps.executor.run(start, 0.0)
    assert (ran, len(steps.reports)) == ([""], 1)


async def test_where_no_more_threads_can_be_had_those_that_are_there_do_the_work(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step waits for one of them, as where all that there may be are at work."""
    async with _one_is_at_work(steps) as group:
        _no_thread_starts(monkeypatch)
        group.create_task(steps.executor.run(steps.start(plain, 1), 0.0))
        await loop_has_come_round()

    assert sorted(report.output or b"" for report in steps.reports) == [b"1", b"null"]
    assert steps.failures == []


async def test_what_ends_a_coroutine_ends_its_step_alone(steps: Steps) -> None:
    """A step that raises `GeneratorExit` has failed like another; the runner goes on."""

    def in_thread() -> None:
        raise GeneratorExit("own")

    async def on_loop() -> None:
        raise GeneratorExit("own")

    reports = [await steps.run(in_thread), await steps.run(on_loop)]

    said = [(report.error, report.message) for report in reports]
    assert said == [
        ("RuntimeError", "plain function raised GeneratorExit"),
        ("GeneratorExit", "own"),
    ]


@types.coroutine
def _hold() -> Generator[None]:
    """Suspends whoever awaits it, on no loop's behalf."""
    yield


def test_a_step_that_is_ended_with_its_loop_has_not_failed(steps: Steps) -> None:
    """What is closed with the process reports nothing: it is run again, or asked about."""

    async def waits() -> None:
        await _hold()

    running = steps.executor.run(steps.start(waits), 0.0)
    copy_context().run(running.send, None)  # the step that it enters is no other test's

    running.close()

    assert steps.reports == []
