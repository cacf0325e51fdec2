"""Replaying a recorded history against the code of now: whether it takes the same path (P7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hitl_events.domain.events import Event, RunCancelled, RunCompleted, RunFailed, RunStarted
from hitl_events.domain.references import reference_of, stopped_without
from hitl_events.domain.values import value
from hitl_events.errors import ImpossibleHistory, RecipeStopped
from hitl_events.ports import RecipeBook, RecipeDriver, Watch

OK = "ok"
UNKNOWN_RECIPE = "unknown_recipe"
DIVERGED = "diverged"
RAISED = "raised"
STUCK = "stuck"
_FAILED = "recipe.failed"
"""How a run ends whose recipe raises what is no error of a step or a gate."""


@value
class ChangedArguments:
    """A recorded step that now gets other arguments; its recorded result stands."""

    seq: int
    message: str


@value
class Replayed:
    """How a replay went: `ok`, `unknown_recipe`, or how the recipe stopped (`diverged`, `stuck`).

    `raised`: it fits what is recorded, but would end the run, which has not ended, with an error.

    `at_seq`, `expected` (what the code asks for) and `found` (what the log has) name the first
    difference.
    """

    run_id: str
    recipe: str = ""
    version: str = ""
    events: int = 0
    result: str
    at_seq: int | None = None
    expected: str | None = None
    found: str | None = None
    message: str = ""
    warnings: tuple[ChangedArguments, ...] = ()

    @property
    def ok(self) -> bool:
        """True where the code fits the history."""
        return self.result == OK

    def to_json(self) -> dict[str, Any]:
        """`{run_id, result, at_seq, expected, found}`, and `warnings` where there are any."""
        names = ("run_id", "result", "at_seq", "expected", "found")
        held: dict[str, Any] = {name: getattr(self, name) for name in names}
        if self.warnings:
            held["warnings"] = [
                {"seq": each.seq, "message": each.message} for each in self.warnings
            ]
        return held


def replay_run(
    events: Sequence[Event], recipes: RecipeBook, watch: Watch, *, strict: bool = False
) -> Replayed:
    """Give a run's events, from the first on, to the recipe with which it started.

    Runs no step and records nothing. `strict`: changed arguments of a step are a divergence.
    A run that is blocked in the log is judged by the code of now.
    """
    started = events[0]
    if not isinstance(started, RunStarted):
        problem = f"expected RunStarted first, found {type(started).__name__}"
        raise ImpossibleHistory(started.run_id, started.seq, problem)
    found = recipes.find(started.recipe, started.version)
    replayed = _unknown(started, recipes)
    if found is not None:
        replayed = _driven(events, started, found.driver(started, watch), strict=strict)
    return replace(replayed, recipe=started.recipe, version=started.version, events=len(events))


def raised(started: RunStarted, at_seq: int, error: str) -> Replayed:
    """The result for a recipe that raises where the history goes on."""
    wanted = f"expected a recipe that goes on after event {at_seq}"
    return Replayed(
        run_id=started.run_id,
        recipe=started.recipe,
        version=started.version,
        events=at_seq,
        result=RAISED,
        at_seq=at_seq,
        expected=f"an error: {error}",
        found="a run that goes on",
        message=f"{wanted}, found that it raises {error}",
    )


def untried(started: RunStarted, events: int, spins: int) -> Replayed:
    """The result for a run whose recipe was stuck so often that another try is a waste of time."""
    wanted = "expected the recipe to await within seconds"
    return Replayed(
        run_id=started.run_id,
        recipe=started.recipe,
        version=started.version,
        events=events,
        result=STUCK,
        message=f"{wanted}, found that it did not in {spins} runs before; this one was not tried",
    )


def _driven(
    events: Sequence[Event], started: RunStarted, driver: RecipeDriver, *, strict: bool
) -> Replayed:
    try:
        for event in events:
            reference = reference_of(event)
            if reference is not None:
                raise stopped_without(event.run_id, event.seq, reference)
            driver.deliver(event)
        failure = None if _has_ended(events) else _failure(driver)
    except RecipeStopped as stopped:
        return _stopped(started.run_id, driver, stopped)
    finally:
        driver.close()
    if failure is not None:
        return raised(started, events[-1].seq, failure)
    warnings = _warnings(driver)
    if strict and warnings:
        return _changed(started.run_id, warnings)
    return Replayed(run_id=started.run_id, result=OK, warnings=warnings)


def _has_ended(events: Sequence[Event]) -> bool:
    return any(isinstance(event, RunCompleted | RunFailed | RunCancelled) for event in events)


def _failure(driver: RecipeDriver) -> str | None:
    """With what the recipe would fail now; steps and gates that fail are no fault of it."""
    for request in driver.requests():
        if isinstance(request, RunFailed) and request.code == _FAILED:
            return request.message
    return None


def _unknown(started: RunStarted, recipes: RecipeBook) -> Replayed:
    expected = f"{started.recipe} (version {started.version})"
    found = ", ".join(recipes.known()) or "none"
    return Replayed(
        run_id=started.run_id,
        result=UNKNOWN_RECIPE,
        at_seq=started.seq,
        expected=expected,
        found=found,
        message=f"expected the registered recipe {expected}, found {found}",
    )


def _stopped(run_id: str, driver: RecipeDriver, stopped: RecipeStopped) -> Replayed:
    return Replayed(
        run_id=run_id,
        result=stopped.code.removeprefix("recipe."),
        at_seq=stopped.at_seq,
        expected=stopped.expected,
        found=stopped.found,
        message=stopped.message,
        warnings=_warnings(driver),
    )


def _changed(run_id: str, warnings: tuple[ChangedArguments, ...]) -> Replayed:
    first = warnings[0]
    return Replayed(
        run_id=run_id,
        result=DIVERGED,
        at_seq=first.seq,
        expected="the arguments that were recorded",
        found="other arguments",
        message=first.message,
        warnings=warnings,
    )


def _warnings(driver: RecipeDriver) -> tuple[ChangedArguments, ...]:
    return tuple(ChangedArguments(seq=seq, message=message) for seq, message in driver.warnings)
