"""Replaying a recorded history against the code of now: whether it takes the same path (P7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hitl_events.domain.events import Event, RunStarted
from hitl_events.domain.values import value
from hitl_events.errors import ImpossibleHistory, RecipeStopped
from hitl_events.ports import RecipeBook, RecipeDriver, Watch

OK = "ok"
UNKNOWN_RECIPE = "unknown_recipe"
DIVERGED = "diverged"


@value
class ChangedArguments:
    """A recorded step that now gets other arguments; its recorded result stands."""

    seq: int
    message: str


@value
class Replayed:
    """How a replay went: `ok`, `unknown_recipe`, or how the recipe stopped (`diverged`, `stuck`).

    `at_seq`, `expected` (what the code asks for) and `found` (what the log has) name the first
    difference.
    """

    run_id: str
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
    if found is None:
        return _unknown(started, recipes)
    driver = found.driver(started, watch)
    try:
        for event in events:
            driver.deliver(event)
    except RecipeStopped as stopped:
        return _stopped(started.run_id, driver, stopped)
    finally:
        driver.close()
    warnings = _warnings(driver)
    if strict and warnings:
        return _changed(started.run_id, warnings)
    return Replayed(run_id=started.run_id, result=OK, warnings=warnings)


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
