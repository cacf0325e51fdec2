"""The readable account of a run, folded from its events: one entry each, some two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, assert_never

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
from hitl_events.domain.references import shown
from hitl_events.domain.values import gate_id, iso, value


@value
class TraceEntry:
    """One line of the account; `data` is JSON without drafts, outputs or tokens."""

    kind: str
    at: str
    seq: int
    data: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        """The entry as its JSON object is read."""
        return getattr(self, name)


def trace(events: Iterable[Event]) -> list[TraceEntry]:
    """The trace of a run."""
    return [
        TraceEntry(kind=kind, at=iso(event.recorded_at), seq=event.seq, data=data)
        for event in events
        for kind, data in _entries(event)
    ]


def _entries(event: Event) -> Iterator[tuple[str, dict[str, Any]]]:
    match event:
        case RunStarted():
            yield "run.start", _given(event, "recipe", "version", "started_by", "channel")
        case StepStarted():
            yield "step.started", _step(event)
        case StepCompleted():
            yield "step.completed", _step(event) | {"duration_us": event.duration_us}
        case StepFailed():
            retry = {"retry_at": iso(event.retry_at)} if event.retry_at else {}
            failure = {"error": event.error, "message": event.message}
            yield "step.failed", _step(event) | failure | retry
        case GatePaused():
            yield "run.paused", _paused(event)
        case DecisionReceived() | DecisionRejected():
            yield from _decision(event)
        case GateClosed():
            yield "gate.closed", _given(event, "gate", "occurrence", "reason")
        case CancelRequested():
            yield "run.cancelling", _given(event, "reason", "cancelled_by", "channel")
        case RunCompleted():
            yield from _end("run.ok", "completed", {})
        case RunFailed():
            data = _given(event, "code", "message", "step", "occurrence")
            yield from _end("run.error", "failed", data)
        case RunCancelled():
            yield from _end("run.cancelled", "cancelled", _given(event, "reason"))
        case RunBlocked():
            yield "run.blocked", _given(event, "code", "message", "expected", "found", "at_seq")
        case RunUnblocked():
            yield "run.unblocked", _given(event, "by", "channel")
        case _:
            assert_never(event)


def _given(event: Event, *names: str) -> dict[str, Any]:
    """The named fields that have a value."""
    found = ((name, getattr(event, name)) for name in names)
    return {name: held for name, held in found if held is not None}


def _step(event: StepStarted | StepCompleted | StepFailed) -> dict[str, Any]:
    return _given(event, "step", "occurrence", "kind", "attempt")


def _paused(event: GatePaused) -> dict[str, Any]:
    data = _given(event, "gate", "occurrence", "pause_kind", "on_expiry")
    data["gate_id"] = gate_id(event.run_id, event.seq)
    data["verdicts"] = list(event.verdicts)
    data["draft_digest"] = event.draft_digest.hex()
    if event.expires_at is not None:
        data["expires_at"] = iso(event.expires_at)
    return data


def _decision(event: DecisionReceived | DecisionRejected) -> Iterator[tuple[str, dict[str, Any]]]:
    data = _given(
        event, "gate", "occurrence", "decision_id", "verdict", "notes", "decided_by", "identity"
    )
    data["channel"] = event.channel
    if event.data is not None:
        data["data"] = shown(event.data)
    if isinstance(event, DecisionRejected):
        refusal = _given(event, "reason", "message", "winner_decision_id")
        yield "decision.rejected", data | refusal
        return
    yield "decision.received", data
    if event.resolution is not None:
        yield "run.resumed", _given(event, "gate", "occurrence", "resolution", "decision_id")


def _end(kind: str, how: str, data: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield kind, data
    yield "run.end", {"status": how}
