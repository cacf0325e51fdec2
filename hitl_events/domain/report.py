"""The end of a step: its event, and the ruling on one that another owner had begun (DESIGN 4.8)."""

from __future__ import annotations

from datetime import datetime

from hitl_events.domain.commands import StepEnd, StepReported
from hitl_events.domain.events import Event, GateClosed, StepCompleted, StepFailed
from hitl_events.domain.refusals import Rejection, Repeat
from hitl_events.domain.state import RunState, StepKey, uncertain_gate, under_way
from hitl_events.domain.values import maker

_new_completed = maker(StepCompleted)


def process_report(
    run: RunState | None, command: StepReported
) -> tuple[Event, ...] | Rejection | Repeat:
    """Its events, if that attempt may be under way still; else a `Repeat`: what is known stays.

    What is asked at a reconcile gate is answered by it: the gate closes. Of a run that is cancelled
    or over nothing is recorded, as its undo may have begun.
    """
    if run is None:
        message = f"expected a run of this log, found no {command.run_id!r}"
        return Rejection(reason="unknown_run", message=message)
    key: StepKey = (command.kind, command.step, command.occurrence)
    known = key in run.steps or command.asked
    cancelled = run.phase != "active" and command.kind == "step"
    if cancelled or not known or not under_way(run, key, command.attempt):
        return Repeat(seq=run.seq)
    since = max(command.origin.arrived_at, run.recorded_at)
    end = step_end(key, command, None if command.retry_in is None else since + command.retry_in)
    question = answered(run, key)
    return (end,) if question is None else (question, end)


def answered(run: RunState, key: StepKey) -> GateClosed | None:
    """The end of the question about a step, where one is open: now it is known."""
    gate = uncertain_gate(run, key)
    if gate is None:
        return None
    paused = gate.paused
    return GateClosed(gate=paused.gate, occurrence=paused.occurrence, reason="superseded")


def step_end(key: StepKey, ended: StepEnd, retry_at: datetime | None) -> StepCompleted | StepFailed:
    """The event that says so; one that failed is tried again at `retry_at` (None: it is not)."""
    kind, step, occurrence = key
    if ended.output is not None:
        return _new_completed(
            step=step,
            occurrence=occurrence,
            kind=kind,
            attempt=ended.attempt,
            args_digest=ended.args_digest,
            output=ended.output,
            duration_us=ended.duration_us,
        )
    return StepFailed(
        step=step,
        occurrence=occurrence,
        kind=kind,
        attempt=ended.attempt,
        args_digest=ended.args_digest,
        error=ended.error,
        message=ended.message,
        retry_at=retry_at,
    )
