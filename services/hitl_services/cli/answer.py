"""The answer to a command that changes a run: its outcome, on stdout and in the exit code."""

from __future__ import annotations

from hitl_events.adapters.system import SystemClock
from hitl_events.domain.outcome import Outcome
from hitl_services.cli.pages import OutcomePage
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.failure import DONE, REFUSED, one_line


def shown(screen: Screen, settings: Settings, outcome: Outcome) -> int:
    """Print the outcome; an error is named on stderr too."""
    if settings.json:
        screen.document(outcome.to_json())
    else:
        now = SystemClock().now()
        repeated = settings.repeated
        page = OutcomePage(outcome, now=now, width=screen.width, repeated=repeated)
        screen.page(page.short())
    if outcome.status != "error":
        return DONE
    if screen.is_seen and not settings.json:
        return REFUSED  # whoever looks has just read it
    first = next(each for each in outcome.diagnostics if each.level == "error")
    unnamed = first.code == "command.unknown_recipe" and not settings.recipes
    unnamed = unnamed and settings.cluster is None
    hint = "; name their module with --recipes or HITL_RECIPES" if unnamed else ""
    screen.note(f"hitl: {one_line(f'{first.code}: {first.message}{hint}')}")
    return REFUSED
