"""Steps that must not run twice: the intent is durable first, a human says what a crash hides."""

import asyncio
from typing import Any

import pytest

from hitl_events import Recipe, Retry, Run, StepError, current_step, recipe
from hitl_events.domain.events import GatePaused, StepCompleted, StepFailed
from hitl_events.engine.inputs import StepReport, Wake
from hitl_events.runtime.executor import ONCE_START_S_MAX
from tests.unit.world import RUN, World

RAN: list[int] = []


def send(amount: int = 1) -> int:
    """Sends, and says how often it did."""
    RAN.append(current_step().attempt)
    return amount


def certain() -> int:
    RAN.append(current_step().attempt)
    raise ConnectionRefusedError("not even begun")


async def slow() -> None:
    RAN.append(current_step().attempt)
    await asyncio.Event().wait()


@recipe("r", version="1")
async def body(run: Run, input: Any) -> Any:
    try:
        return await run.step(send, 5, once=True)
    except StepError as error:
        return [error.step, error.error, error.message]


@pytest.fixture(autouse=True)
def fresh() -> None:
    RAN.clear()


@pytest.fixture
def cut() -> World:
    """A process died after the intent was durable; its successor has opened the gate."""
    world = World(body)
    world.ask(world.starting("r"))
    world.restart()
    assert world.story() == ["RunStarted", "StepStarted send", "GatePaused reconcile:send"]
    return world


def test_the_intent_is_durable_before_the_step_runs() -> None:
    """The batch that starts a once step carries its StepStarted (P5, P6)."""
    world = World(body)

    turn = world.put(world.submission(world.starting("r")))

    assert world.story() == ["RunStarted", "StepStarted send"]
    assert [start.request.key for start in turn.starts] == [("step", "send", 1)]
    assert RAN == []
    assert world.settle().artefact["result"] == 5


def test_a_batch_that_is_not_written_starts_nothing() -> None:
    """Where the commit fails there is no intent, and the step begins once it is asked for again."""
    world = World(body)
    world.put(world.submission(world.starting("r")), commit=False)
    assert world.log == {}

    assert world.start("r").status == "ok"
    assert RAN == [1]


def test_after_a_crash_in_between_it_does_not_run_again(cut: World) -> None:
    """The run pauses at the reconcile gate, which shows the step, its key and its arguments."""
    outcome = cut.outcome()
    gate = cut.events()[2]

    assert RAN == []
    assert (outcome.status, outcome.pause_kind) == ("paused", "reconcile")
    assert [one.code for one in outcome.diagnostics] == ["step.uncertain", "gate.pending"]
    assert isinstance(gate, GatePaused)
    assert gate.verdicts == ("happened", "did_not_happen", "abandon")
    assert gate.about is not None
    assert (gate.about.step, gate.about.occurrence) == ("send", 1)
    draft = outcome.artefact["gates"]["reconcile:send"]["draft"]
    assert (draft["key"], draft["arguments"]) == ("run:send:1", {"args": [5], "kwargs": {}})


def test_a_second_restart_opens_no_second_gate(cut: World) -> None:
    """While the question is open it is not asked again."""
    cut.restart()
    cut.restart()

    assert cut.story()[2:] == ["GatePaused reconcile:send"]


def test_it_happened(cut: World) -> None:
    """`happened` completes the step with the output that the human gives; it does not run."""
    assert cut.decide("happened", data={"output": 7}).artefact["result"] == 7
    assert RAN == []
    assert cut.story()[3:5] == ["DecisionReceived reconcile:send happened", "StepCompleted send"]
    completed = cut.events()[4]
    assert isinstance(completed, StepCompleted)
    assert (completed.attempt, completed.output) == (1, b"7")
    cut.replayed()


def test_it_did_not_happen(cut: World) -> None:
    """`did_not_happen` is the next attempt, with an intent of its own."""
    cut.ask(cut.deciding("did_not_happen"))
    assert cut.story()[3:] == [
        "DecisionReceived reconcile:send did_not_happen",
        "StepStarted send",
    ]

    assert cut.settle().artefact["result"] == 5
    assert RAN == [2]
    cut.replayed()


def test_it_is_abandoned(cut: World) -> None:
    """`abandon` fails the step; the recipe gets a StepError with the notes."""
    outcome = cut.decide("abandon", notes="the account is closed")

    assert outcome.artefact["result"] == ["send", "Abandoned", "the account is closed"]
    assert RAN == []
    failed = cut.events()[4]
    assert isinstance(failed, StepFailed)
    assert failed.attempt == 1
    cut.replayed()


@pytest.mark.parametrize("data", [None, {}, {"output": "seven"}, {"output": 7, "more": 1}])
def test_the_output_is_checked_against_the_steps_type(cut: World, data: Any) -> None:
    """An output that the step could not have given is refused; the gate stays open."""
    outcome = cut.decide("happened", data=data)

    assert cut.answers[-1].reason == "invalid_data"
    assert outcome.status == "paused"
    assert cut.decide("happened", data={"output": 7}).status == "ok"


@recipe("r", version="1")
async def changed(run: Run, input: Any) -> Any:
    """The same recipe after a deployment that forgot its runs."""
    return await run.step(send, 5, once=True, name="dispatch")


@recipe("other", version="1")
async def other(run: Run, input: Any) -> Any:
    """All that is registered where the module of the run was not named."""


@pytest.mark.parametrize("is_blocked", [True, False])
@pytest.mark.parametrize("code", [changed, other])
@pytest.mark.parametrize("data", [None, {"output": "seven"}, {"output": 7}])
def test_an_output_that_nobody_can_check_is_not_recorded(
    cut: World, data: Any, code: Recipe, is_blocked: bool
) -> None:
    """Where the code does not fit the run, `happened` is refused and the question stays open."""
    cut.restart(code)
    if is_blocked:
        cut.put(Wake(run_id=RUN))

    cut.decide("happened", data=data)

    assert cut.answers[-1].reason == "invalid_data"
    assert f"hitl unblock {RUN}" in cut.answers[-1].message
    assert "DecisionReceived reconcile:send happened" not in cut.story()
    cut.restart(body)
    cut.unblock()
    assert cut.decide("happened", data={"output": 7}).artefact["result"] == 7
    cut.replayed()


def test_a_short_lived_owner_without_the_recipe_names_it() -> None:
    """`hitl decide` without the module says which recipe has to be named; nothing is recorded."""
    world = World(body)
    world.ask(world.starting("r"))
    world.restart()
    world.only(RUN)
    world.restart(other)

    world.decide("happened", data={"output": 7})

    assert world.answers[-1].reason == "invalid_data"
    assert "expected the run's recipe 'r' version '1'" in world.answers[-1].message
    assert world.story()[-1] == "DecisionRejected invalid_data"


@pytest.mark.parametrize("verdict", ["did_not_happen", "abandon"])
def test_what_needs_no_code_can_be_said_of_a_blocked_run(cut: World, verdict: str) -> None:
    """`did_not_happen` and `abandon` are taken at once; they take effect when the code fits."""
    cut.restart(changed)
    cut.put(Wake(run_id=RUN))
    cut.decide(verdict)
    assert cut.answers[-1].reason is None
    assert RAN == []

    cut.restart(body)
    cut.unblock()

    assert cut.settle().status == "ok"
    assert len(RAN) == (verdict == "did_not_happen")
    cut.replayed()


def test_no_output_is_needed_for_the_other_verdicts(cut: World) -> None:
    """Data on did_not_happen is not taken for an output."""
    cut.decide("did_not_happen", data={})

    assert cut.answers[-1].reason is None
    assert cut.outcome().status == "ok"


def test_a_crash_in_the_next_attempt_asks_again(cut: World) -> None:
    """Every attempt has its own question."""
    cut.ask(cut.deciding("did_not_happen"))
    cut.restart()

    assert cut.story()[-1] == "GatePaused reconcile:send 2"
    assert cut.decide("happened", data={"output": 1}).artefact["result"] == 1
    assert list(cut.outcome().artefact["gates"]) == ["reconcile:send#1", "reconcile:send"]


def test_a_crash_between_the_word_and_the_attempt_asks_nothing() -> None:
    """`did_not_happen` is durable: a successor begins the attempt, it does not ask again."""
    world = World(body)
    world.ask(world.starting("r"))
    world.restart()
    world.decide("did_not_happen")
    world.cut(4)

    assert world.settle().artefact["result"] == 5
    assert world.story()[4] == "StepStarted send"


def test_what_was_recorded_is_not_asked_for() -> None:
    """A once step whose end is in the log is over, whatever crashes then."""
    world = World(body)
    world.start("r")
    world.cut(3)

    assert world.story() == ["RunStarted", "StepStarted send", "StepCompleted send", "RunCompleted"]
    assert RAN == [1]


def test_a_failure_is_final_unless_it_is_certain() -> None:
    """Errors do not prove that nothing happened: only those that `certain` names are retried."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        try:
            retry = Retry(attempts=3, initial_s=1, certain=(ConnectionRefusedError,))
            await run.step(certain, once=True, retry=retry)
        except StepError:
            retry = Retry(attempts=3, initial_s=1, certain=(KeyError,))
            await run.step(certain, once=True, retry=retry)

    world = World(body)
    world.start("r")
    for _ in range(2):
        world.wait(2)
        world.settle()

    assert RAN == [1, 2, 3, 1]
    assert world.story() == [
        "RunStarted",
        *["StepStarted certain", "StepFailed certain again"] * 2,
        "StepStarted certain",
        "StepFailed certain",
        "StepStarted certain 2",
        "StepFailed certain 2",
        "RunFailed step.failed",
    ]
    world.replayed()


def test_a_timeout_is_uncertain() -> None:
    """Nobody knows whether a once step that ran out of time happened: the same gate opens."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        retry = Retry(attempts=3, certain=(TimeoutError,))
        await run.step(slow, once=True, timeout_s=0.01, retry=retry)

    world = World(body)
    outcome = world.start("r")

    assert (outcome.status, outcome.pause_kind) == ("paused", "reconcile")
    assert world.story() == ["RunStarted", "StepStarted slow", "GatePaused reconcile:slow"]


def test_an_intent_that_is_too_old_is_not_begun() -> None:
    """A once step begins only within five seconds of its commit; later it is left to the gate."""
    world = World(body)
    world.ask(world.starting("r"))
    (start,) = world.held
    reports: list[StepReport] = []
    world._executor._report = reports.append

    asyncio.run(world._executor.run(start, world.clock.monotonic_s() - ONCE_START_S_MAX - 0.001))

    assert (RAN, [report.uncertain for report in reports]) == ([], [True])
    world.put(*reports)
    assert world.story()[-1] == "GatePaused reconcile:send"


def test_an_intent_within_its_time_is_begun() -> None:
    """Five seconds are still in time, and other steps have no such bound."""
    world = World(body)
    world.ask(world.starting("r"))
    (start,) = world.held

    asyncio.run(world._executor.run(start, world.clock.monotonic_s() - ONCE_START_S_MAX))

    assert RAN == [1]


def test_a_report_of_an_attempt_that_is_over_is_ignored() -> None:
    """A result that comes in twice, or from an attempt that was given up, changes nothing."""
    world = World(body)
    world.ask(world.starting("r"))
    (report,) = world.run_steps()
    world.put(report)
    before = world.story()

    world.put(report)
    world.put(report, report)

    assert world.story() == before


def test_a_cancelled_run_asks_nothing() -> None:
    """Cancelling while a once step is uncertain kills the question with the other tokens."""
    world = World(body)
    world.ask(world.starting("r"))
    world.restart()
    world.cancel()

    assert world.story()[2:] == ["GatePaused reconcile:send", "CancelRequested", "RunCancelled"]


def test_a_recipe_has_no_gate_of_that_name() -> None:
    """`reconcile:` is reserved: a recipe's own gate of such a name is an error."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.gate("reconcile:send")

    assert "reconcile:" in World(body).start("r").diagnostics[0].message


def test_two_steps_may_be_uncertain_at_once() -> None:
    """Each has its own gate and its own answer."""

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return await run.all(
            run.step(send, 1, name="a", once=True),
            run.step(send, 2, name="b", once=True),
            run.step(send, 3, name="b", once=True),
        )

    world = World(body)
    world.ask(world.starting("r"))
    world.restart()
    tokens = world.outcome().tokens
    assert sorted(tokens) == ["reconcile:a", "reconcile:b", "reconcile:b#1"]
    world.decide("did_not_happen", token=tokens["reconcile:b"])
    world.decide("happened", token=tokens["reconcile:a"], data={"output": 10})
    outcome = world.decide("happened", token=tokens["reconcile:b#1"], data={"output": 20})

    assert outcome.artefact["result"] == [10, 20, 3]
    assert RAN == [2]
