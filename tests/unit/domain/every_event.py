"""A run in which every type of event happens, for tests that must look at all of them."""

from __future__ import annotations

from hitl_events.domain.events import (
    About,
    Event,
    GateClosed,
    RunBlocked,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunUnblocked,
    StepStarted,
)
from tests.unit.domain.histories import (
    NOW,
    SECOND,
    cancelled,
    paused,
    received,
    recorded,
    rejected,
    started,
    step_done,
    step_failed,
)


def main_line() -> list[Event]:
    """All but the three ends: a cancelled run that was blocked, retried and refused decisions."""
    return recorded(
        started(started_by="ann"),
        step_failed(retry_at=NOW + 9 * SECOND),
        step_done(attempt=2, output={"n": 1}),
        paused(expires_at=NOW + 60 * SECOND, on_expiry="deny"),
        rejected(),
        received(notes="fine", data=b'{"k":1}', decided_by="bob"),
        StepStarted(step="once", occurrence=1, kind="step", attempt=1, args_digest=bytes(8)),
        paused(
            "reconcile:once",
            pause_kind="reconcile",
            verdicts=("happened", "did_not_happen", "abandon"),
            about=About(step="once", occurrence=1),
        ),
        RunBlocked(
            code="recipe.diverged", message="m", expected="a", found="b", code_fingerprint="f"
        ),
        RunUnblocked(by="ann", channel="cli", code_fingerprint="g"),
        paused("side", draft=None),
        GateClosed(gate="side", occurrence=1, reason="withdrawn"),
        cancelled(),
    )


ENDS: list[Event] = [
    RunCompleted(result=b'"done"'),
    RunFailed(code="step.failed", message="m", step="s", occurrence=1),
    RunCancelled(reason="no more"),
]


def histories() -> list[list[Event]]:
    """The main line with each end."""
    line = main_line()
    return [recorded(*line, end) for end in ENDS]
