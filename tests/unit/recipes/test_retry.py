from datetime import timedelta
from typing import Any

import pytest

from hitl_events import Recipe, Retry, Run, StepError, current_step, recipe
from hitl_events.engine.inputs import Due, Wake
from hitl_events.errors import RecipeError
from tests.unit.world import RUN, World

SEEN: list[tuple[str, int]] = []


def flaky(fails: int) -> int:
    """Fails that often, then gives its attempt."""
    step = current_step()
    SEEN.append((step.key, step.attempt))
    if step.attempt <= fails:
        raise OSError(f"attempt {step.attempt}")
    return step.attempt


@pytest.fixture(autouse=True)
def fresh() -> None:
    SEEN.clear()


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (1_000_000, 10)]
)
def test_the_pause_grows_up_to_a_bound(attempt: int, seconds: float) -> None:
    """The pause before the n-th retry is initial_s * factor ** (n - 1), at most max_s."""
    assert Retry(max_s=10).pause(attempt) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "options",
    [
        {"attempts": 0},
        {"initial_s": -1},
        {"factor": 0.5},
        {"max_s": -1},
        {"factor": 1e9},
        {"max_s": float("inf")},
        {"initial_s": float("nan")},
        {"on": [OSError()]},
        {"certain": ("OSError",)},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    """A Retry that could not work is an error when it is written, not when a step fails."""
    with pytest.raises(RecipeError):
        Retry(**options)


def test_pauses_are_seconds_or_a_timedelta() -> None:
    """As all durations that a recipe gives."""
    retry = Retry(initial_s=timedelta(minutes=1), max_s=timedelta(minutes=3))

    assert [retry.pause(n).total_seconds() for n in (1, 2, 3)] == [60, 120, 180]


@pytest.mark.parametrize(
    "options", [{"retry": 3}, {"retry": {"attempts": 3}}, {"undo": "give_back"}]
)
def test_options_of_another_kind_fail_the_run(options: dict[str, Any]) -> None:
    """Before the step runs: once it has failed it would be too late to say so."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(flaky, 1, **options)

    outcome = World(body).start("r")

    (said,) = outcome.diagnostics
    assert (said.code, SEEN) == ("recipe.failed", [])
    assert f"found {next(iter(options.values()))!r}" in said.message


def test_a_default_retry_is_a_retry() -> None:
    """What a recipe is configured with is checked at once."""
    some: Any = 3

    with pytest.raises(RecipeError, match="expected a Retry"):
        Recipe("r", version="1").configure(retry=some)


def test_one_type_or_several_may_be_named() -> None:
    """`on` takes an exception type or a sequence of them."""
    for on in (OSError, [OSError], (ValueError, OSError)):
        assert Retry(attempts=2, on=on).again(FileNotFoundError(), 1, once=False)
        assert not Retry(attempts=2, on=on).again(KeyError(), 1, once=False)


@pytest.mark.parametrize("timeout_s", [0, -1, float("inf"), float("nan"), timedelta(0)])
def test_a_timeout_is_a_time(timeout_s: Any) -> None:
    """A timeout that is none fails the run with the reason."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(flaky, 0, timeout_s=timeout_s)

    assert "timeout_s" in World(body).start("r").diagnostics[0].message


def test_a_failed_attempt_is_an_event_and_is_tried_again() -> None:
    """Each failed attempt is recorded with the time of the next, which begins then."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return await run.step(flaky, 2, retry=Retry(attempts=3, initial_s=10))

    world = World(body)
    assert world.start("r").status == "running"
    world.wait(9.9)
    assert world.held == []
    world.wait(0.1)
    world.settle()
    assert world.story() == ["RunStarted", "StepFailed flaky again", "StepFailed flaky again"]
    world.wait(20)

    assert world.settle().artefact["result"] == 3
    assert SEEN == [("run:flaky:1", 1), ("run:flaky:1", 2), ("run:flaky:1", 3)]


def test_attempts_are_bounded() -> None:
    """The last attempt's failure is final."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(flaky, 9, retry=Retry(attempts=2, initial_s=1))

    world = World(body)
    world.start("r")
    world.wait(1)
    world.settle()

    assert world.story()[1:] == [
        "StepFailed flaky again",
        "StepFailed flaky",
        "RunFailed step.failed",
    ]
    assert "attempt 2" in world.outcome().diagnostics[0].message


def test_only_errors_worth_it_are_tried_again() -> None:
    """`on` names the exceptions; others are final at once."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        found: list[str] = []
        for on in ((OSError,), (ValueError,)):
            try:
                await run.step(flaky, 1, retry=Retry(attempts=2, initial_s=1, on=on))
                found.append("again")
            except StepError:
                found.append("final")
        return found

    world = World(body)
    world.start("r")
    world.wait(1)

    assert world.settle().artefact["result"] == ["again", "final"]


def test_the_recipes_default_holds_where_a_step_has_none() -> None:
    """`configure(retry=...)` is for every step that does not say otherwise."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(flaky, 1)
        await run.step(flaky, 1, retry=Retry())

    world = World(body.configure(retry=Retry(attempts=2, initial_s=1)))
    world.start("r")
    world.wait(1)
    world.settle()

    assert world.story()[1:4] == [
        "StepFailed flaky again",
        "StepCompleted flaky",
        "StepFailed flaky 2",
    ]


def test_a_retry_outlives_its_process() -> None:
    """After a restart the next attempt begins at its time, not sooner and not again."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return await run.step(flaky, 1, retry=Retry(attempts=2, initial_s=10))

    world = World(body)
    world.start("r")
    world.restart()
    assert world.held == []
    world.wait(10)
    world.restart()

    assert world.settle().artefact["result"] == 2
    assert [attempt for _, attempt in SEEN] == [1, 2]


def test_an_attempt_under_way_is_not_begun_again() -> None:
    """While the next attempt runs neither its timer nor a wake-up begins another one."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return await run.step(flaky, 1, retry=Retry(attempts=3, initial_s=10))

    world = World(body)
    world.start("r")
    world.wait(10)
    assert len(world.held) == 1
    assert world.positions[RUN].due is None
    world.put(Wake(run_id=RUN), Due(run_id=RUN, until=world.time))

    assert len(world.held) == 1
    assert world.settle().artefact["result"] == 2


def test_an_attempt_that_was_cut_runs_again_as_the_same() -> None:
    """A crash in the middle of an attempt leaves no event: the same attempt begins again."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return await run.step(flaky, 0)

    world = World(body)
    world.ask(world.starting("r"))
    world.run_steps()
    world.restart()

    assert world.settle().artefact["result"] == 1
    assert SEEN == [("run:flaky:1", 1)] * 2


def test_a_recorded_step_never_runs_again() -> None:
    """After a restart at any event a step that is recorded is not run a second time (P4)."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(flaky, 0, name="a")
        await run.gate("g")
        await run.step(flaky, 0, name="b")
        await run.gate("h")

    world = World(body)
    world.start("r")
    for gate in ("g", "h"):
        world.restart()
        world.decide(gate=gate)

    assert SEEN == [("run:a:1", 1), ("run:b:1", 1)]


def test_a_timeout_fails_the_attempt() -> None:
    """A step that takes longer has failed with TimeoutError, and may be tried again."""

    async def slow() -> None:
        import asyncio

        await asyncio.Event().wait()

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        try:
            await run.step(slow, timeout_s=0.01, retry=Retry(attempts=2, initial_s=1))
        except StepError as error:
            return [error.error, error.message]

    world = World(body)
    world.start("r")
    world.wait(1)
    world.settle()

    assert world.story()[1:3] == ["StepFailed slow again", "StepFailed slow"]
    assert world.outcome().artefact["result"] == [
        "TimeoutError",
        "expected a result within 0.01 s, found none",
    ]


def test_an_error_that_looks_like_a_timeout_is_none() -> None:
    """A step that raises TimeoutError itself keeps its own message."""

    def step() -> None:
        raise TimeoutError("of the service")

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(step, timeout_s=60)

    assert "of the service" in World(body).start("r").diagnostics[0].message


def test_an_output_that_can_not_be_recorded_is_not_tried_again() -> None:
    """The step would give the same again: such a failure is final."""

    def step() -> Any:
        return object()

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(step, retry=Retry(attempts=5, initial_s=0))

    world = World(body)
    world.start("r")

    assert world.story() == ["RunStarted", "StepFailed step", "RunFailed output.not_serialisable"]


def test_a_step_knows_itself() -> None:
    """`current_step` gives key, attempt and deadline inside a step, and an error outside."""
    found: list[Any] = []

    async def inside() -> None:
        found.append(current_step())

    def in_thread() -> None:
        found.append(current_step())

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(inside, timeout_s=60)
        await run.step(in_thread)
        await run.step(in_thread)
        current_step()

    world = World(body)
    outcome = world.start("r")

    assert [one.key for one in found] == ["run:inside:1", "run:in_thread:1", "run:in_thread:2"]
    assert found[0].deadline == world.time + timedelta(seconds=60)
    assert found[1].deadline is None
    assert "outside" in outcome.diagnostics[0].message
