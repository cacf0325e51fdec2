"""Durable, event-sourced gates: a workflow pauses for a decision and goes on with it, once."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hitl_events.domain.commands import CancelRun, Decide, StartRun, UnblockRun
    from hitl_events.domain.events import (
        CancelRequested,
        DecisionReceived,
        DecisionRejected,
        Event,
        GateClosed,
        GatePaused,
        RunBlocked,
        RunCancelled,
        RunCompleted,
        RunFailed,
        RunStarted,
        RunUnblocked,
        StepCompleted,
        StepFailed,
        StepStarted,
    )
    from hitl_events.domain.outcome import Outcome
    from hitl_events.embedded import Runtime
    from hitl_events.errors import GateExpired, HitlError, StepError
    from hitl_events.recipes.builder import hitl
    from hitl_events.recipes.calls import Decision
    from hitl_events.recipes.plan import Plan
    from hitl_events.recipes.recipe import Recipe, recipe
    from hitl_events.recipes.run import Run
    from hitl_events.recipes.step import Retry, Step, current_step

_HOME = {
    "hitl_events.domain.commands": ("CancelRun", "Decide", "StartRun", "UnblockRun"),
    "hitl_events.domain.events": (
        "CancelRequested",
        "DecisionReceived",
        "DecisionRejected",
        "Event",
        "GateClosed",
        "GatePaused",
        "RunBlocked",
        "RunCancelled",
        "RunCompleted",
        "RunFailed",
        "RunStarted",
        "RunUnblocked",
        "StepCompleted",
        "StepFailed",
        "StepStarted",
    ),
    "hitl_events.domain.outcome": ("Outcome",),
    "hitl_events.embedded": ("Runtime",),
    "hitl_events.errors": ("GateExpired", "HitlError", "StepError"),
    "hitl_events.recipes.builder": ("hitl",),
    "hitl_events.recipes.calls": ("Decision",),
    "hitl_events.recipes.plan": ("Plan",),
    "hitl_events.recipes.recipe": ("Recipe", "recipe"),
    "hitl_events.recipes.run": ("Run",),
    "hitl_events.recipes.step": ("Retry", "Step", "current_step"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "CancelRequested",
    "CancelRun",
    "Decide",
    "Decision",
    "DecisionReceived",
    "DecisionRejected",
    "Event",
    "GateClosed",
    "GateExpired",
    "GatePaused",
    "HitlError",
    "Outcome",
    "Plan",
    "Recipe",
    "Retry",
    "Run",
    "RunBlocked",
    "RunCancelled",
    "RunCompleted",
    "RunFailed",
    "RunStarted",
    "RunUnblocked",
    "Runtime",
    "StartRun",
    "Step",
    "StepCompleted",
    "StepError",
    "StepFailed",
    "StepStarted",
    "UnblockRun",
    "current_step",
    "hitl",
    "recipe",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the command line starts in half the time."""
    if name not in _MODULE_OF:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    if _MODULE_OF[name].startswith("hitl_events.recipes."):
        # A handle runs by itself on the embedded runtime, which recipes may not know.
        importlib.import_module("hitl_events.embedded")
    held = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = held
    return held
