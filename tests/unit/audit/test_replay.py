from collections.abc import Callable
from typing import Any

import pytest

from hitl_events.audit.replay import Replayed, replay_run
from hitl_events.domain.events import Event
from hitl_events.domain.outcome import canonical_outcome
from hitl_events.errors import ImpossibleHistory, RecipeSpins
from hitl_events.recipes.book import Book
from hitl_events.recipes.recipe import Recipe, recipe
from hitl_events.recipes.run import Run
from tests.golden.play import CODEC, Play, Unwatched
from tests.unit.audit.made import chained, completed


def _named(name: str) -> Callable[..., str]:
    def step(*_: Any) -> str:
        return name

    step.__name__ = name
    return step


def _recipe(*steps: str, draft: str = "draft", argument: int = 1, version: str = "1") -> Recipe:
    """Steps in a row, a gate, and a last step."""

    @recipe("row", version=version)
    async def row(run: Run, _: Any) -> Any:
        for name in steps:
            await run.step(_named(name), argument)
        await run.gate("review", draft=draft)
        return await run.step(_named("last"))

    return row


def _history(made_by: Recipe) -> list[Event]:
    play = Play(made_by, "r").start(None).done("a", "x").decide("approve", "d-1")
    return play.done("last", "y").events


def _replay(events: list[Event], code: Recipe, *, strict: bool = False) -> Replayed:
    return replay_run(events, Book([code]), Unwatched(), strict=strict)


def test_code_that_fits_replays() -> None:
    """The code that made a history takes its path again."""
    replayed = _replay(_history(_recipe("a")), _recipe("a"))

    assert replayed.ok
    assert replayed.to_json() == {
        "run_id": "r",
        "result": "ok",
        "at_seq": None,
        "expected": None,
        "found": None,
    }


@pytest.mark.parametrize(
    ("code", "at_seq", "expected", "found"),
    [
        (_recipe("b"), 2, "step 'b'", "step 'a'"),
        (_recipe("a", "b"), 3, "step 'b'", "gate 'review'"),
        (_recipe(), 2, "gate 'review'", "step 'a'"),
    ],
)
def test_the_first_differing_step_is_named(
    code: Recipe, at_seq: int, expected: str, found: str
) -> None:
    """Code that takes another path is told from the history at the first event that differs."""
    replayed = _replay(_history(_recipe("a")), code)

    assert (replayed.result, replayed.at_seq) == ("diverged", at_seq)
    assert (replayed.expected, replayed.found) == (expected, found)


def test_another_draft_is_a_divergence() -> None:
    """Code that would now show another draft at a gate does not fit what was approved."""
    replayed = _replay(_history(_recipe("a")), _recipe("a", draft="other"))

    assert (replayed.result, replayed.at_seq) == ("diverged", 3)


def test_changed_arguments_are_a_warning_unless_strict() -> None:
    """A recorded result stands although the step would now get something else."""
    events = _history(_recipe("a"))

    lenient = _replay(events, _recipe("a", argument=2))
    strict = _replay(events, _recipe("a", argument=2), strict=True)

    assert lenient.ok
    assert lenient.to_json()["warnings"] == [{"seq": 2, "message": lenient.warnings[0].message}]
    assert (strict.result, strict.at_seq) == ("diverged", 2)


def test_a_recipe_that_is_not_there_is_said_so() -> None:
    """A history whose recipe, or its version, is missing cannot be judged."""
    replayed = _replay(_history(_recipe("a")), _recipe("a", version="2"))

    assert (replayed.result, replayed.expected) == ("unknown_recipe", "row (version 1)")
    assert replayed.found == "row (version 2)"


def test_a_recipe_that_asks_without_end_is_stuck() -> None:
    """A recipe that spins ends its own replay, and nothing else."""

    @recipe("row", version="1")
    async def endless(run: Run, _: Any) -> None:
        while True:
            await run.all()

    assert _replay(_history(_recipe("a")), endless).result == "stuck"


def test_a_recipe_that_computes_without_end_is_stuck() -> None:
    """What the watch sends into a recipe that does not await is no exception of ours."""

    @recipe("row", version="1")
    async def spinning(_run: Run, _: Any) -> None:
        raise RecipeSpins

    assert _replay(_history(_recipe("a")), spinning).result == "stuck"


def test_code_that_would_fail_where_a_history_goes_on_is_told() -> None:
    """It fits what is recorded, but a release would end the run; what has ended has ended."""

    @recipe("row", version="1")
    async def raising(run: Run, _: Any) -> None:
        await run.step(_named("a"))
        raise KeyError("x")

    going_on = Play(_recipe("a", "b"), "r").start(None).done("a", "x").events
    failed = Play(raising, "r").start(None).done("a", "x").events
    found = _replay(going_on, raising)

    assert (found.result, found.at_seq) == ("raised", going_on[-1].seq)
    assert "KeyError" in found.message
    assert type(failed[-1]).__name__ == "RunFailed"
    assert _replay(failed, raising).ok


def test_a_step_that_fails_is_no_fault_of_the_code() -> None:
    """A recipe that ends with the error of its step fits the history of that step."""
    events = _history(_recipe("a"))

    assert _replay(events[:2], _recipe("a")).ok
    assert _replay(events, _recipe("a")).recipe == "row"


def test_a_blocked_run_is_judged_by_the_code_of_now() -> None:
    """Whether a run was blocked is no matter to a replay: it says what an unblock would do."""
    play = Play(_recipe("a"), "r").start(None).done("a", "x")
    blocked = play.restart(_recipe("b")).events

    assert type(blocked[-1]).__name__ == "RunBlocked"
    assert _replay(blocked, _recipe("a")).ok
    assert _replay(blocked, _recipe("b")).result == "diverged"


def test_a_history_that_does_not_begin_is_refused() -> None:
    """Only a run's events from the first on can be replayed."""
    events = [CODEC.decode(value) for value in chained("r", [completed("a")])]

    with pytest.raises(ImpossibleHistory, match="expected RunStarted first"):
        _replay(events, _recipe("a"))


def test_a_replay_leaves_the_events_as_they_are() -> None:
    """Outcome, artefact and trace are the same bytes before and after, however often folded."""
    events = _history(_recipe("a"))
    before = canonical_outcome(events)

    _replay(events, _recipe("a"))

    assert canonical_outcome(events) == before
    assert canonical_outcome(events) == before
