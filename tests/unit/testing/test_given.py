"""Tests of the scenarios; their recipe is the one that docs/testing.md shows."""

import gc
import sys
from datetime import timedelta
from typing import Any

import pytest

from hitl_events import (
    DecisionReceived,
    GatePaused,
    Outcome,
    Recipe,
    Retry,
    Run,
    Runtime,
    StepError,
    recipe,
)
from hitl_events.domain.events import Event, StepFailed
from hitl_events.testing import (
    cancellation,
    decision,
    event_like,
    given,
    step_completed,
    step_failed,
    step_timed_out,
)


async def write(request: str) -> str:
    """Writes a draft."""
    return f"about {request}"


async def publish(text: str) -> str:
    """Can not be undone."""
    return "published"


async def withdraw(output: str) -> None:
    """Takes the draft back."""
    return


@recipe("review", version="1")
async def review(run: Run, request: str) -> str:
    """Publishes what the lawyers approve."""
    draft = await run.step(write, request, retry=Retry(2, initial_s=30), undo=withdraw)
    legal = await run.gate("legal", draft={"text": draft}, expires_in=3600, on_expiry="deny")
    if legal.verdict == "deny":
        return "refused"
    published: str = await run.step(publish, draft, once=True)
    return published


@recipe("both", version="1")
async def both(run: Run, request: str) -> list[str]:
    """Opens two gates."""
    found = await run.all(run.gate("a"), run.gate("b"))
    return [each.verdict for each in found]


def test_a_decision_leads_to_the_next_step() -> None:
    """Given / when / then of the first page: an approval asks for the step behind the gate."""
    given(review).started("tea").completed("write", "about tea").paused("legal").when(
        decision("approve", decided_by="ann")
    ).then(
        event_like(DecisionReceived, verdict="approve", decided_by="ann"),
        lambda event: type(event).__name__ == "StepStarted",
        asks_step="publish",
    ).when(step_completed("publish", "published")).then(completed="published")


def test_the_given_may_be_events() -> None:
    """given(events).when(decision).then(...): recorded events are a history like any other."""
    recorded = given(review).started("tea").completed("write", "about tea").events

    given(*recorded, recipe=review).when(decision("deny", notes="no")).then(
        DecisionReceived,
        event_like(type(_end(review)), result="refused"),
        completed="refused",
        artefact={"gates": {"legal": {"status": "denied"}}},
    )


def _end(handle: Recipe) -> Event:
    scenario = given(handle).started("tea").completed("write", "x").decided("deny")
    return scenario.events[-1]


def test_a_second_decision_is_refused_and_names_the_winner() -> None:
    """A gate that has closed can be named, to see what a late decision gets."""
    scenario = given(review).started("tea").completed("write", "x")
    scenario.decided("approve", decision_id="first")

    scenario.when(decision("deny", gate="legal")).then(refused="token_used", winner="first")


def test_a_failed_step_is_tried_again_when_its_time_has_come() -> None:
    """The recipe's own Retry decides, and time passes only when it is told to."""
    scenario = given(review).started("tea").failed("write", OSError("no disk"))

    scenario.then(event_like(StepFailed, error="OSError"), asks_step=())
    scenario.when(timedelta(seconds=30)).then(asks_step="write")
    scenario.when(step_failed("write", OSError("no disk"))).then(failed="step.failed")


def test_a_gate_runs_out_of_time() -> None:
    """Passing time fires the timers of the run, in order."""
    given(review).started("tea").completed("write", "x").when(timedelta(hours=2)).then(
        event_like(DecisionReceived, channel="schedule", verdict="deny"),
        lambda event: type(event).__name__ == "RunCompleted",
        completed="refused",
    )


def test_an_uncertain_once_step_asks_a_human() -> None:
    """A once step that took too long opens its reconcile gate; what is said there goes on."""
    given(review).started("tea").completed("write", "x").decided("approve").when(
        step_timed_out("publish")
    ).then(event_like(GatePaused, gate="reconcile:publish"), paused="reconcile:publish").when(
        decision("happened", data={"output": "seen online"})
    ).then(completed="seen online")


def test_a_cancelled_run_says_why() -> None:
    """A cancellation ends the run, and the fact names its reason."""
    given(review).started("tea").completed("write", "x").when(cancellation("too late")).then(
        cancelled="too late"
    )


def test_a_changed_recipe_meets_an_old_history() -> None:
    """given(events, recipe=changed) shows at once whether old runs still fit."""
    recorded = given(review).started("tea").completed("write", "about tea").events

    @recipe("review", version="1")
    async def changed(run: Run, request: str) -> str:
        published: str = await run.step(publish, request)
        return published

    given(*recorded, recipe=changed).then(blocked="recipe.diverged")


def test_several_open_gates_want_a_name() -> None:
    """A decision that could mean two gates is no decision: the message names them."""
    scenario = given(both).started("tea").paused("a", "b")

    with pytest.raises(AssertionError, match=r"expected one open gate, found a, b; name it"):
        scenario.when(decision("approve"))
    scenario.when(decision("approve", gate="b")).then(paused="a")


def test_a_wrong_expectation_says_what_was_found() -> None:
    """The message reads expected X, found Y, and the trace follows."""
    scenario = given(review).started("tea").completed("write", "x")

    with pytest.raises(AssertionError) as caught:
        scenario.then(completed="published")
    told = str(caught.value).splitlines()
    assert told[0] == "expected the run completed with \"published\", found paused at 'legal'"
    assert any("run.paused" in line for line in told[1:])


def _is_new(outcome: Outcome) -> bool:
    return outcome.seq == 0


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"paused": "other"}, "expected the run paused at 'other', found paused at 'legal'"),
        ({"asks_step": "write"}, "expected the run asking for step 'write', found paused"),
        ({"failed": "x"}, "expected the run failed with x, found paused"),
        ({"blocked": "x"}, "expected the run blocked with x, found paused"),
        ({"cancelled": "x"}, "expected the run cancelled for 'x', found paused"),
        ({"refused": "x"}, "expected a refusal for x, found none"),
        ({"winner": "x"}, "expected the winner 'x' to be named, found None"),
        ({"draft": 1}, 'expected the draft 1, found {"text":"x"}'),
        ({"artefact": {"input": 1}}, 'expected an artefact with {"input":1}, found'),
        ({"outcome": _is_new}, "expected an outcome that passes _is_new"),
    ],
)
def test_every_fact_can_fail(facts: dict[str, object], sentence: str) -> None:
    """A fact that does not hold raises, with a sentence of its own."""
    scenario = given(review).started("tea").completed("write", "x")

    with pytest.raises(AssertionError) as caught:
        scenario.then(**facts)  # type: ignore[arg-type]  # one fact of any kind
    assert str(caught.value).startswith(sentence)


def test_events_are_expected_one_for_one() -> None:
    """One event too few, too many or of another kind is a failure."""
    scenario = given(review).started("tea").completed("write", "x")
    scenario.when(decision("deny"))

    with pytest.raises(AssertionError, match="expected events GatePaused, found DecisionReceived"):
        scenario.then(GatePaused)
    with pytest.raises(AssertionError, match="expected DecisionReceived\\(verdict='approve'\\)"):
        scenario.then(event_like(DecisionReceived, verdict="approve"), lambda _: True)


def test_a_step_that_nobody_asks_for_can_not_end() -> None:
    """A test that is ahead of its recipe is told what is asked for instead."""
    scenario = given(review).started("tea")

    with pytest.raises(AssertionError, match="the step 'publish' to be asked for, found 'write'"):
        scenario.completed("publish")


def test_nothing_expected_is_no_test() -> None:
    """then() without an expectation, and a field that no event has, are mistakes."""
    with pytest.raises(TypeError, match="expected events or facts"):
        given(review).started("tea").then()
    with pytest.raises(TypeError, match="expected fields of GatePaused, found \\['gat'\\]"):
        event_like(GatePaused, gat="legal")
    with pytest.raises(TypeError, match="expected a recipe"):
        given()


def test_a_refused_given_is_a_mistake() -> None:
    """What was given must have happened: a refusal there is an error of the test."""
    with pytest.raises(AssertionError, match="expected it to be accepted, found unknown_verdict"):
        given(review).started("tea").completed("write", "x").decided("perhaps")


@recipe("undoing", version="1")
async def undoing(run: Run, request: str) -> str:
    """Takes back what it has done if the last step fails."""
    await run.step(write, request, undo=withdraw)
    try:
        published: str = await run.step(publish, request)
    except StepError:
        await run.undo()
        return "undone"
    return published


def test_an_undo_is_a_step_of_its_own() -> None:
    """The undo of a step is named after it, and ends like one."""
    given(undoing).started("tea").completed("write", "x").failed("publish", OSError("no")).then(
        asks_step="undo write"
    ).when(step_completed("write", undo=True)).then(completed="undone")


@recipe("rounds", version="1")
async def rounds(run: Run, request: str) -> str:
    """Asks until it is approved."""
    while (await run.gate("g")).verdict != "approve":
        pass
    return request


def test_an_earlier_round_is_named_as_in_the_artefact() -> None:
    """What a late decision on an earlier use of a gate gets can be seen: it is `name#1`."""
    second = given(rounds).started("tea").decided("deny", decision_id="first").paused("g")

    second.when(decision("approve", gate="g#1")).then(refused="token_used", winner="first")


def test_a_blocked_run_takes_decisions() -> None:
    """A history that the code does not fit still has gates that can be decided."""

    @recipe("rounds", version="1")
    async def changed(run: Run, request: str) -> str:
        return request

    recorded = given(rounds).started("tea").events

    given(*recorded, recipe=changed).when(decision("approve")).then(
        DecisionReceived, blocked="recipe.diverged"
    )


async def test_what_a_runtime_recorded_can_be_decided() -> None:
    """A history has its gates under the key of the test, whatever key it was recorded with."""
    async with Runtime.open(recipes=[rounds]) as runtime:
        run_id = (await runtime.run(rounds, "tea")).run_id or ""
        recorded = [event async for event in runtime.events(run_id)]

    given(recorded, recipe=rounds).when(decision("approve")).then(completed="tea")


def test_a_fact_that_is_none_is_not_passed_over() -> None:
    """A misspelt fact would be a test that can not fail."""
    with pytest.raises(TypeError, match="found complete"):
        given(rounds).started("tea").then(complete="tea")  # type: ignore[call-arg]  # misspelt on purpose


def test_what_can_not_happen_is_named() -> None:
    """A word for a decision, a class for an exception and a step for its undo are told apart."""
    run = given(review).started("tea")
    wrong: Any = ("approve", OSError)

    with pytest.raises(TypeError, match=r"expected decision\(.+, found 'approve'"):
        run.when(wrong[0])
    with pytest.raises(TypeError, match=r"expected an exception, .+ found <class 'OSError'>"):
        run.failed("write", wrong[1])
    with pytest.raises(AssertionError, match="the step 'undo write' to be asked for, found 'write"):
        run.completed("write", undo=True)


def test_a_scenario_that_is_over_leaves_nothing_behind() -> None:
    """A recipe that waits, and awaits more in a `finally`, ends with its test without a word."""

    @recipe("tidy", version="1")
    async def tidy(run: Run, request: str) -> None:
        try:
            await run.gate("legal")
        finally:
            await run.step(publish, request)

    said: list[object] = []
    before, sys.unraisablehook = sys.unraisablehook, said.append
    try:
        given(tidy).started("tea").paused("legal")
        gc.collect()
    finally:
        sys.unraisablehook = before

    assert said == []
