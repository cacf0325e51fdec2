"""Histories and commands in a few words; what a test does not name is the same everywhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hitl_events.domain import canonical
from hitl_events.domain.commands import CancelRun, Decide, Origin, StartRun
from hitl_events.domain.content import content_digest
from hitl_events.domain.events import (
    CancelRequested,
    DecisionReceived,
    DecisionRejected,
    Event,
    GatePaused,
    RunStarted,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from hitl_events.domain.evolve import evolve, fold
from hitl_events.domain.process import process
from hitl_events.domain.refusals import Rejection, Repeat
from hitl_events.domain.state import RunState
from hitl_events.domain.token import Claim
from hitl_events.domain.values import RunId, digest

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RUN = RunId("run")
SEED = bytes(range(16))


def recorded(*events: Event, after: RunState | None = None) -> list[Event]:
    """The events as the engine would record them, one second apart."""
    seq = after.seq if after else 0
    return [
        replace(event, run_id=RUN, seq=at, recorded_at=NOW + at * SECOND)
        for at, event in enumerate(events, seq + 1)
    ]


def run_of(*events: Event) -> RunState:
    """A run that has begun, with these events after its start."""
    run = fold(recorded(started(), *events))
    assert run is not None
    return run


def apply(run: RunState, *events: Event) -> RunState:
    """The run with these events after what it has."""
    for event in recorded(*events, after=run):
        evolve(run, event)
    return run


def started(**given: Any) -> RunStarted:
    fields: dict[str, Any] = {
        "recipe": "r",
        "version": "1",
        "input": b"{}",
        "seed": SEED,
        "command_id": "c",
        "identity": "claimed",
        "channel": "runtime",
    }
    return RunStarted(**(fields | given))


def paused(gate: str = "g", *, draft: Any = "draft", **given: Any) -> GatePaused:
    shown = canonical.dumps(draft)
    fields: dict[str, Any] = {
        "gate": gate,
        "occurrence": 1,
        "pause_kind": "human",
        "draft": shown,
        "draft_digest": digest(shown),
        "verdicts": ("approve", "deny"),
        "token_kid": "00000000",
    }
    return GatePaused(**(fields | given))


def received(verdict: str = "approve", **given: Any) -> DecisionReceived:
    fields: dict[str, Any] = {
        "gate": "g",
        "occurrence": 1,
        "decision_id": "first",
        "content_digest": b"content of first",
        "verdict": verdict,
        "identity": "claimed",
        "channel": "runtime",
        "resolution": verdict,
    }
    return DecisionReceived(**(fields | given))


def rejected(**given: Any) -> DecisionRejected:
    fields: dict[str, Any] = {
        "gate": "g",
        "occurrence": 1,
        "decision_id": "refused",
        "content_digest": b"content of refused",
        "verdict": "perhaps",
        "identity": "claimed",
        "channel": "runtime",
        "reason": "unknown_verdict",
        "message": "expected one of approve, deny, found 'perhaps'",
    }
    return DecisionRejected(**(fields | given))


def cancelled(reason: str = "no more") -> CancelRequested:
    return CancelRequested(reason=reason, identity="claimed", command_id="x", channel="runtime")


def step_started(step: str = "s", **given: Any) -> StepStarted:
    fields: dict[str, Any] = {
        "step": step,
        "occurrence": 1,
        "kind": "step",
        "attempt": 1,
        "args_digest": bytes(8),
    }
    return StepStarted(**(fields | given))


def step_done(step: str = "s", output: Any = "out", **given: Any) -> StepCompleted:
    fields: dict[str, Any] = {
        "step": step,
        "occurrence": 1,
        "kind": "step",
        "attempt": 1,
        "args_digest": bytes(8),
        "output": canonical.dumps(output),
        "duration_us": 5,
    }
    return StepCompleted(**(fields | given))


def step_failed(step: str = "s", **given: Any) -> StepFailed:
    fields: dict[str, Any] = {
        "step": step,
        "occurrence": 1,
        "kind": "step",
        "attempt": 1,
        "args_digest": bytes(8),
        "error": "ValueError",
        "message": "broken",
    }
    return StepFailed(**(fields | given))


def claim(seq: int = 2, *, run_id: str = RUN, seed: bytes = SEED) -> Claim:
    return Claim(run_id=RunId(run_id), seq=seq, seed_prefix=seed[:8])


def decide(verdict: str = "approve", **given: Any) -> Decide:
    """A decision on the gate that event 2 opened, with the digest of what it says."""
    arrived_at = given.pop("arrived_at", NOW)
    fields: dict[str, Any] = {
        "token": "hitl_x",
        "verdict": verdict,
        "decision_id": "second",
        "claim": claim(),
        "origin": Origin(channel="runtime", arrived_at=arrived_at),
    } | given
    said = ("token", "verdict", "notes", "data", "decided_by", "draft_digest")
    content = content_digest(**{name: fields[name] for name in said if name in fields})
    return Decide(content_digest=content, **fields)


def start(**given: Any) -> StartRun:
    fields: dict[str, Any] = {
        "recipe": "r",
        "input": b"{}",
        "run_id": RUN,
        "version": "1",
        "command_id": "c",
        "seed": SEED,
        "origin": Origin(channel="runtime"),
    }
    return StartRun(**(fields | given))


def cancel(run_id: str = RUN) -> CancelRun:
    origin = Origin(channel="runtime")
    return CancelRun(run_id=RunId(run_id), reason="no more", command_id="x", origin=origin)


def ruled(run: RunState | None, command: Decide) -> tuple[Event, ...]:
    """The events of a decision that has its place in the run."""
    ruling = process(run, command)
    assert isinstance(ruling, tuple), ruling
    return ruling


def refusal(run: RunState | None, command: Decide) -> DecisionRejected:
    """The refusal that a decision comes to, as the event of the run."""
    last = ruled(run, command)[-1]
    assert isinstance(last, DecisionRejected), last
    return last


def outside(run: RunState | None, command: Any) -> Rejection:
    """The refusal that has no place in a run."""
    ruling = process(run, command)
    assert isinstance(ruling, Rejection), ruling
    return ruling


def repeat(run: RunState | None, command: Any) -> Repeat:
    """The ruling on what was there before."""
    ruling = process(run, command)
    assert isinstance(ruling, Repeat), ruling
    return ruling
