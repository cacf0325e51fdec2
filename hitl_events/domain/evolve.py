"""Applying facts: state + event -> state. No clock, no lookup, no choice is made here (P1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

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
from hitl_events.domain.reconcile import DID_NOT_HAPPEN
from hitl_events.domain.state import GateState, RunState, StepState, gate_status
from hitl_events.domain.values import maker
from hitl_events.errors import ImpossibleHistory

_new_run = maker(RunState)
_new_step = maker(StepState)
_new_gate = maker(GateState)


def fold(events: Iterable[Event], run: RunState | None = None) -> RunState | None:
    """`evolve` over a stream; None for an empty one."""
    for event in events:
        run = evolve(run, event)
    return run


def evolve(run: RunState | None, event: Event) -> RunState:
    """The run after `event`, in place; `ImpossibleHistory` for what no engine can have written."""
    if run is None:
        return _start(event)
    if event.seq != run.seq + 1:
        problem = f"expected event {run.seq + 1} next, found {event.seq}"
        raise ImpossibleHistory(event.run_id, event.seq, problem)
    run.seq = event.seq
    run.recorded_at = event.recorded_at
    match event:
        case StepCompleted():
            run.steps[event.kind, event.step, event.occurrence] = _new_step(
                status="completed", seq=event.seq, attempt=event.attempt, output=event.output
            )
        case GatePaused():
            gate = _new_gate(paused=event)
            run.gates[event.gate, event.occurrence] = run.pending[event.seq] = gate
        case DecisionReceived():
            _decided(run, event)
        case RunCompleted():
            run.phase, run.result = "completed", event.result
        case DecisionRejected():
            run.rejected += 1
            run.remember(event)
        case StepStarted():
            run.steps[event.kind, event.step, event.occurrence] = StepState(
                status="started", seq=event.seq, attempt=event.attempt
            )
        case StepFailed():
            _step_failed(run, event)
        case GateClosed():
            _open_gate(run, event).status = event.reason
            del run.pending[run.gates[event.gate, event.occurrence].paused.seq]
        case CancelRequested():
            run.phase, run.reason = "cancelling", event.reason
            _close_all(run)
        case RunFailed():
            run.phase, run.failed = "failed", event
            _close_all(run)
        case RunCancelled():
            run.phase = "cancelled"
        case RunBlocked():
            run.blocked = event
        case RunUnblocked():
            run.blocked = None
        case RunStarted():
            raise ImpossibleHistory(event.run_id, event.seq, "a second RunStarted")
        case _:
            assert_never(event)
    return run


def _start(event: Event) -> RunState:
    if not isinstance(event, RunStarted) or event.seq != 1:
        problem = f"expected RunStarted with seq 1, found {type(event).__name__}"
        raise ImpossibleHistory(event.run_id, event.seq, problem)
    return _new_run(started=event, recorded_at=event.recorded_at)


def _open_gate(run: RunState, event: DecisionReceived | GateClosed) -> GateState:
    gate = run.gates.get((event.gate, event.occurrence))
    if gate is None or gate.paused.seq not in run.pending:
        problem = f"expected an open gate {event.gate!r} ({event.occurrence}), found none"
        raise ImpossibleHistory(event.run_id, event.seq, problem)
    return gate


def _decided(run: RunState, event: DecisionReceived) -> None:
    gate = _open_gate(run, event)
    run.decisions[event.decision_id] = event
    if event.resolution is not None:
        gate.status, gate.decision = gate_status(event.resolution), event
        del run.pending[gate.paused.seq]
        about = gate.paused.about
        if about is not None and event.resolution == DID_NOT_HAPPEN:
            step = run.steps["step", about.step, about.occurrence]
            step.status, step.retry_at = "retrying", event.recorded_at


def _step_failed(run: RunState, event: StepFailed) -> None:
    run.steps[event.kind, event.step, event.occurrence] = StepState(
        status="failed" if event.retry_at is None else "retrying",
        seq=event.seq,
        attempt=event.attempt,
        error=event.error,
        message=event.message,
        retry_at=event.retry_at,
    )


def _close_all(run: RunState) -> None:
    for gate in run.pending.values():
        gate.status = "cancelled"
    run.pending.clear()
