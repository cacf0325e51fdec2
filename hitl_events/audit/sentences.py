"""How an event is named in a sentence, wherever one is said about it."""

from __future__ import annotations

from hitl_events.domain.events import (
    DecisionReceived,
    DecisionRejected,
    Event,
    GatePaused,
    RunBlocked,
    RunCancelled,
    RunCompleted,
    RunFailed,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from hitl_events.domain.values import iso


def decided(event: DecisionReceived | DecisionRejected) -> str:
    """Which decision, whose, through what and when; ends with a comma."""
    if event.channel == "schedule":
        return f"{event.verdict!r}, decided by the schedule ({event.decision_id!r}),"
    who = f"by {event.decided_by!r} ({event.identity})" if event.decided_by else "by nobody named"
    return (
        f"Decision {event.decision_id!r}, {event.verdict!r} {who}, through {event.channel!r} "
        f"at {iso(event.recorded_at)},"
    )


def went_on(event: Event) -> str:
    """What the run did; "" for what is none of its doing."""
    match event:
        case StepStarted():
            return f"{event.kind} {event.step!r} was begun"
        case StepCompleted():
            return f"{event.kind} {event.step!r} was completed"
        case StepFailed():
            return f"{event.kind} {event.step!r} failed: {event.error}: {event.message}"
        case GatePaused():
            return f"gate {event.gate!r} was opened"
        case RunCompleted():
            return "the run was completed"
        case RunFailed():
            return f"the run failed ({event.code}): {event.message}"
        case RunCancelled():
            return "the run was cancelled"
        case RunBlocked():
            return f"the run was blocked ({event.code}): {event.message}"
        case _:
            return ""
