"""Possible histories: event streams that the real engine gave for a random recipe."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random

from hitl_events.domain.commands import Origin, UnblockRun
from hitl_events.domain.events import Event
from hitl_events.domain.reconcile import ABANDON, RECONCILE_PREFIX
from hitl_events.recipes.recipe import Recipe
from hitl_events.testing.given import (
    Happening,
    Scenario,
    cancellation,
    decision,
    given,
    step_completed,
    step_failed,
    step_timed_out,
)
from hitl_events.testing.plots import changed, random_plot
from hitl_events.testing.scripts import handle_of
from hitl_events.testing.stage import RUN_ID

HAPPENINGS_MAX = 12
_ROUNDS_MAX = 40
_NAME, _VERSION = "played", "1"


def history_of(random: Random, *, ended: bool = False) -> tuple[Event, ...]:
    """All events of one run, from its start to some point on its way, or to its end (`ended`).

    Everything that a run can meet is in it with some luck: every kind of event, refused and
    repeated decisions, expiries, lost processes, changed code.
    """
    plot = random_plot(random)
    handle = handle_of(_NAME, _VERSION, plot)
    scenario = given(handle).started("out:0")
    for _ in range(random.randint(0, HAPPENINGS_MAX)):
        drawn = random.random()
        if drawn < 0.07:
            scenario = _again(scenario, handle)
        elif drawn < 0.14:
            scenario = _again(scenario, handle_of(_NAME, _VERSION, changed(random, plot)))
            scenario = _again(scenario, handle).when(_UNBLOCK)
        else:
            scenario.when(_happening(random, scenario))
    if ended:
        _bring_to_an_end(scenario)
    return scenario.events


def _bring_to_an_end(scenario: Scenario) -> None:
    """Every step ends well, every gate is approved; what still goes on then is cancelled."""
    for _ in range(_ROUNDS_MAX):
        gates = list(scenario.outcome.tokens)
        if scenario.asked:
            kind, step = scenario.asked[0]
            scenario.when(step_completed(step, "out:1", undo=kind == "undo"))
        elif gates:
            asks = gates[0].startswith(RECONCILE_PREFIX)
            scenario.when(decision(ABANDON if asks else "approve", gate=gates[0]))
        else:
            scenario.when(timedelta(seconds=60), cancellation("over"))


_UNBLOCK = UnblockRun(
    run_id=RUN_ID,
    by="operator",
    command_id="unblock",
    origin=Origin(channel="cli"),
)


def _again(scenario: Scenario, handle: Recipe) -> Scenario:
    """The process was lost: another one takes the run up from its events."""
    return given(*scenario.events, recipe=handle)


def _happening(random: Random, scenario: Scenario) -> Happening:
    steps, gates = scenario.asked, list(scenario.outcome.tokens)
    choices: list[Callable[[], Happening]] = [
        lambda: timedelta(seconds=random.choice((0.5, 3.0, 60.0))),
    ]
    if gates:
        choices += [lambda: _decision(random, random.choice(gates))] * 4
    if steps:
        choices += [lambda: _end(random, *random.choice(steps))] * 4
    if random.random() < 0.15:
        choices.append(lambda: cancellation("enough"))
    return random.choice(choices)()


def _decision(random: Random, gate: str) -> Happening:
    verdicts = ("approve", "approve", "deny", "request_changes", "happened", "did_not_happen")
    return decision(
        random.choice(verdicts),
        gate=gate,
        notes=random.choice((None, "fine")),
        data=random.choice((None, None, {"score": 3}, {"output": "out:1"}, {"other": 1})),
        decision_id=random.choice((None, None, None, "dec:1", "dec:2")),
        draft_digest=random.choice((None, None, None, None, "ab" * 32)),
    )


def _end(random: Random, kind: str, step: str) -> Happening:
    undo = kind == "undo"
    drawn = random.random()
    if drawn < 0.7:
        return step_completed(step, f"out:{random.randrange(100)}", undo=undo)
    if drawn < 0.85:
        return step_failed(step, ValueError("no"), undo=undo)
    return step_timed_out(step, undo=undo)
