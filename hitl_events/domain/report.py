"""Ruling on the end of a step that another owner of the partition had begun (DESIGN 4.8)."""

from __future__ import annotations

from hitl_events.domain.commands import StepReported
from hitl_events.domain.events import Event, GateClosed, StepCompleted, StepFailed
from hitl_events.domain.refusals import Rejection, Repeat
from hitl_events.domain.state import RunState, StepKey, uncertain_gate, under_way


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
    question = answered(run, key)
    return (_end(run, command),) if question is None else (question, _end(run, command))


def answered(run: RunState, key: StepKey) -> GateClosed | None:
    """The end of the question about a step, where one is open: now it is known."""
    gate = uncertain_gate(run, key)
    if gate is None:
        return None
    paused = gate.paused
    return GateClosed(gate=paused.gate, occurrence=paused.occurrence, reason="superseded")


def _end(run: RunState, command: StepReported) -> Event:
    if command.output is not None:
        return StepCompleted(
            step=command.step,
            occurrence=command.occurrence,
            kind=command.kind,
            attempt=command.attempt,
            args_digest=command.args_digest,
            output=command.output,
            duration_us=command.duration_us,
        )
    since = max(command.origin.arrived_at, run.recorded_at)
    return StepFailed(
        step=command.step,
        occurrence=command.occurrence,
        kind=command.kind,
        attempt=command.attempt,
        args_digest=command.args_digest,
        error=command.error,
        message=command.message,
        retry_at=None if command.retry_in is None else since + command.retry_in,
    )
