"""Commands that change a run: `run`, `decide`, `cancel`, `unblock`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from hitl_events.adapters.directory import DataDirectory
from hitl_events.domain.outcome import Outcome, refused
from hitl_events.domain.refusals import Reason, Rejection
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import value
from hitl_events.embedded import Runtime, Setting
from hitl_events.recipes.recipe import Recipe
from hitl_services.cli.answer import shown
from hitl_services.cli.progress import Spinner
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.modules import load_recipes

Act: TypeAlias = Callable[[Runtime], Awaitable[Outcome]]


@value
class Decision:
    """What `hitl decide` was given."""

    token: str
    verdict: str
    notes: str | None
    data: object
    decided_by: str | None
    decision_id: str | None


def run(screen: Screen, settings: Settings, recipe: str, input_: object, run_id: str | None) -> int:
    """Start a run, or take it up, until it pauses or ends."""
    return _acted(screen, settings, lambda runtime: runtime.run(recipe, input_, run_id))


def decide(screen: Screen, settings: Settings, given: Decision) -> int:
    """Bring a decision and drive its run on."""
    missing = _without_log(settings, "invalid_token", "a token of this log", decision=True)
    if missing is not None:
        return shown(screen, settings, missing)
    return _acted(
        screen,
        settings,
        lambda runtime: runtime.decide(
            given.token,
            given.verdict,
            notes=given.notes,
            data=given.data,
            decided_by=given.decided_by,
            decision_id=given.decision_id,
        ),
    )


def cancel(screen: Screen, settings: Settings, run_id: str, reason: str) -> int:
    """Cancel a run; its tokens die, what is to be undone is."""
    missing = _without_log(settings, "unknown_run", "a run of this log")
    if missing is not None:
        return shown(screen, settings, missing)
    return _acted(screen, settings, lambda runtime: runtime.cancel(run_id, reason))


def unblock(screen: Screen, settings: Settings, run_id: str) -> int:
    """Let a blocked run go on if it fits the code of now."""
    missing = _without_log(settings, "unknown_run", "a run of this log")
    if missing is not None:
        return shown(screen, settings, missing)
    return _acted(screen, settings, lambda runtime: runtime.unblock(run_id))


def _without_log(
    settings: Settings, reason: Reason, wanted: str, *, decision: bool = False
) -> Outcome | None:
    """The refusal where there is no log at all: a mistyped directory must not become one."""
    directory = DataDirectory(settings.directory)
    if directory.has_log() or directory.existing_token_key() is not None:
        return None
    message = f"expected {wanted}, found no log in {settings.directory}; name its place with --dir"
    return refused((), Rejection(reason=reason, message=message), decision=decision)


def _acted(screen: Screen, settings: Settings, act: Act) -> int:
    return shown(screen, settings, outcome_of(screen, settings, act))


def outcome_of(screen: Screen, settings: Settings, act: Act) -> Outcome:
    """Open the runtime, act on it, and wait until the run pauses or ends."""
    screen.shield()
    recipes = load_recipes(settings.recipes)
    # What the loop has to say about users' steps are tracebacks; the outcome says it in a line.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)
    return asyncio.run(_driven(screen, settings, recipes, act))


async def _driven(
    screen: Screen,
    settings: Settings,
    recipes: list[Recipe],
    act: Act,
) -> Outcome:
    spinner = Spinner(screen)
    keys = TokenKeys(settings.token_keys) if settings.token_keys else None
    setting = Setting(
        channel="cli",
        keys=keys,
        only_own=True,
        observer=spinner,
        inline_bytes_max=settings.blob_limit,
    )
    with spinner.turning():
        async with Runtime.open(settings.directory, recipes=recipes, setting=setting) as runtime:
            return await act(runtime)
