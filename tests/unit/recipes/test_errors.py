import asyncio
import sys
from typing import Any

import pytest

from hitl_events import GateExpired, Retry, Run, StepError, recipe
from hitl_events.domain.events import RunFailed, StepFailed
from hitl_events.domain.requests import USER_BYTES_MAX
from hitl_events.recipes.endings import MESSAGE_CHARS_MAX
from tests.unit.world import RUN, World


class Odd(Exception):
    """An error whose text can not be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text either")


def broken() -> None:
    raise ValueError("the reason")


def test_a_failed_step_raises_the_same_error_live_and_on_replay() -> None:
    """The recipe gets a StepError with step, error and message, never the original exception."""
    seen: list[Any] = []

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        try:
            await run.step(broken)
        except StepError as error:
            seen.append((error.step, error.error, error.message, error.__cause__, str(error)))
        await run.gate("g")

    world = World(body)
    world.start("r")
    world.replayed()

    assert seen[0] == seen[1]
    text = "step 'broken' failed: ValueError: the reason"
    assert seen[0] == ("broken", "ValueError", "the reason", None, text)


def test_the_original_exception_is_not_caught_by_its_type() -> None:
    """`except ValueError` around a step catches nothing: on replay there is no ValueError."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        try:
            await run.step(broken)
        except ValueError:
            return "wrong"

    assert World(body).start("r").diagnostics[0].code == "step.failed"


def test_an_uncaught_step_error_fails_the_run() -> None:
    """The run fails with step.failed and names the step."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(broken)

    world = World(body)
    (said,) = world.start("r").diagnostics

    assert (said.level, said.code, said.data["step"]) == ("error", "step.failed", "broken")
    assert world.story() == ["RunStarted", "StepFailed broken", "RunFailed step.failed"]


def test_what_the_recipe_itself_raises_fails_the_run() -> None:
    """An error outside of a step ends its run, with its type and text."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        raise KeyError("x")

    (said,) = World(body).start("r").diagnostics

    assert (said.code, said.message) == ("recipe.failed", "KeyError: 'x'")


@pytest.mark.parametrize(
    "raised", [SystemExit(3), asyncio.CancelledError(), GeneratorExit(), BaseException("base")]
)
def test_nothing_that_a_recipe_raises_leaves_its_run(raised: BaseException) -> None:
    """Also what is no Exception ends only the run that raised it; the neighbour goes on."""

    @recipe("bad", version="1")
    async def bad(run: Run, input: Any) -> Any:
        raise raised

    @recipe("good", version="1")
    async def good(run: Run, input: Any) -> Any:
        return "fine"

    world = World(bad, good)
    starts = [world.starting("bad", run_id="bad"), world.starting("good", run_id="good")]
    world.put(*(world.submission(start) for start in starts))

    assert world.outcome("bad").diagnostics[0].code == "recipe.failed"
    assert world.outcome("good").artefact["result"] == "fine"


@pytest.mark.parametrize(
    "raised", [SystemExit(3), asyncio.CancelledError("own"), BaseException("base")]
)
def test_nothing_that_a_step_raises_leaves_its_step(raised: BaseException) -> None:
    """A step that calls sys.exit, or awaits what was cancelled, has failed and no more."""

    async def step() -> None:
        raise raised

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        try:
            await run.step(step)
        except StepError as error:
            return error.error

    assert World(body).start("r").artefact["result"] == type(raised).__name__


def test_an_error_without_a_text_is_still_an_error() -> None:
    """An exception whose `__str__` raises fails its step, or its run, like another."""

    def step() -> None:
        raise Odd

    @recipe("step", version="1")
    async def in_step(run: Run, input: Any) -> Any:
        await run.step(step)

    @recipe("body", version="1")
    async def in_body(run: Run, input: Any) -> Any:
        raise Odd

    world = World(in_step, in_body)

    assert world.start("step", run_id="a").diagnostics[0].code == "step.failed"
    assert world.start("body", run_id="b").diagnostics[0].code == "recipe.failed"


@pytest.mark.parametrize("name", ["L" * 1_000_000, "caf\udce9"])
def test_names_that_a_program_made_are_recorded(name: str) -> None:
    """However long or broken the name of an error or of its step is, its run ends by itself."""

    def step() -> None:
        raise type("L" * len(name), (Exception,), {})

    @recipe("step", version="1")
    async def in_step(run: Run, input: Any) -> Any:
        await run.step(step)

    @recipe("body", version="1")
    async def in_body(run: Run, input: Any) -> Any:
        raise StepError(name, name, name)

    world = World(in_step, in_body)
    ends = [world.start("step", run_id="a"), world.start("body", run_id="b")]

    assert [end.diagnostics[0].code for end in ends] == ["step.failed"] * 2
    sizes = [len(repr(event)) for run_id in ("a", "b") for event in world.events(run_id)]
    assert max(sizes) < 10_000


def test_a_message_that_is_no_unicode_is_recorded() -> None:
    """A file name with broken bytes in an error's text does not stop the run."""

    def step() -> None:
        raise FileNotFoundError("caf\udce9")

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        try:
            await run.step(step)
        except StepError as error:
            raise ValueError(error.message) from error

    world = World(body)

    assert world.start("r").diagnostics[0].message.startswith("ValueError: caf")
    assert world.dead == []


def test_a_long_message_is_cut() -> None:
    """An error's text has a bound in the log."""

    def step() -> None:
        raise ValueError("x" * 100_000)

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(step)

    world = World(body)
    world.start("r")

    _, failed, end = world.events()
    assert isinstance(failed, StepFailed)
    assert isinstance(end, RunFailed)
    assert len(failed.message) <= MESSAGE_CHARS_MAX
    assert len(end.message) <= MESSAGE_CHARS_MAX


def _big() -> str:
    return "x" * (USER_BYTES_MAX - 1)


def test_an_output_that_is_too_large_fails_its_step() -> None:
    """It is sized before anything is written: output.too_large, which the recipe may catch."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        try:
            await run.step(_big, retry=Retry(attempts=3))
        except StepError as error:
            await run.step(broken, name=error.error)

    world = World(body)

    assert world.start("r").diagnostics[0].code == "step.failed"
    assert world.story()[1] == "StepFailed _big"
    assert world.outcome().diagnostics[0].data["step"] == "output.too_large"


@pytest.mark.parametrize("what", ["output", "draft", "result"])
def test_what_is_too_large_is_an_error_outcome(what: str) -> None:
    """A step's output, a gate's draft and a run's result have a bound; beyond it the run fails."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        if what == "output":
            await run.step(_big)
        elif what == "draft":
            await run.gate("g", draft=_big())
        return _big()

    world = World(body)
    (said,) = world.start("r").diagnostics

    assert said.code == "output.too_large"
    assert max(len(value) for values in world.log.values() for value in values) < 10_000


def test_the_largest_output_is_recorded() -> None:
    """One byte less than too much fits."""

    def step() -> str:
        return _big()[:-1]

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return len(await run.step(step))

    world = World(body)

    assert world.start("r").artefact["result"] == USER_BYTES_MAX - 2
    assert 880 * 1024 < max(len(value) for value in world.log[RUN]) <= 900 * 1024


def test_an_expired_gate_raises() -> None:
    """Without a verdict for its end a gate raises GateExpired; the recipe may go on."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        try:
            await run.gate("g", expires_in=10)
        except GateExpired as error:
            return error.gate

    world = World(body)
    world.start("r")
    world.wait(10)
    assert world.outcome().status == "paused"
    world.wait(0.001)

    assert world.outcome().artefact["result"] == "g"
    assert world.story()[2:] == ["GateClosed g expired", "RunCompleted"]
    world.replayed()


def test_an_uncaught_expiry_fails_the_run() -> None:
    """The run fails with gate.expired."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.gate("g", expires_in=10)

    world = World(body)
    world.start("r")
    world.wait(11)

    assert [one.code for one in world.outcome().diagnostics] == ["gate.expired"]


def test_an_expiry_with_a_verdict_is_a_decision() -> None:
    """The recipe gets the verdict that `on_expiry` names, like one of a human."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        made = await run.gate("g", expires_in=10, on_expiry="deny")
        return [made.verdict, made.decision_id]

    world = World(body)
    world.start("r")
    world.wait(11)

    assert world.outcome().artefact["result"] == ["deny", "schedule:run.2"]


def test_deep_recursion_in_a_recipe_fails_its_run() -> None:
    """A recipe that recurses without end fails like any other error."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        def deeper(n: int) -> int:
            return deeper(n + 1)

        return deeper(sys.getrecursionlimit())

    assert World(body).start("r").diagnostics[0].code == "recipe.failed"
