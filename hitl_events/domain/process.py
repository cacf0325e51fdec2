"""Deciding: a run and a command -> the events it causes, or why it is refused; changes nothing."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from hitl_events.domain.commands import (
    CancelRun,
    Command,
    Decide,
    StartRun,
    StepReported,
    UnblockRun,
)
from hitl_events.domain.decide import process_decision
from hitl_events.domain.events import CancelRequested, Event, RunStarted
from hitl_events.domain.refusals import Rejection, Repeat
from hitl_events.domain.report import process_report
from hitl_events.domain.state import RunState, same_start
from hitl_events.domain.values import maker

Ruling: TypeAlias = tuple[Event, ...] | Rejection | Repeat

_new_started = maker(RunStarted)


def process(run: RunState | None, command: Command) -> Ruling:
    """What the command causes.

    Refused decisions are events of their run (`DecisionRejected`); a `Rejection` has no place in a
    run and becomes a dead letter; a `Repeat` is answered like the first. An `UnblockRun` that is
    allowed causes no event here: only a replay can tell whether the code fits.
    """
    match command:
        case StartRun():
            return _start(run, command)
        case Decide():
            return process_decision(run, command)
        case CancelRun():
            return _cancel(run, command)
        case UnblockRun():
            return _unblock(run, command)
        case StepReported():
            return process_report(run, command)
        case _:
            assert_never(command)


def _start(run: RunState | None, command: StartRun) -> Ruling:
    if run is not None:
        if same_start(run, command.recipe, command.input):
            return Repeat(seq=1)
        run_id = run.started.run_id
        message = f"expected a new run id, found {run_id!r}, which has another recipe or input"
        return Rejection(reason="run_exists", message=message)
    origin = command.origin
    return (
        _new_started(
            recipe=command.recipe,
            version=command.version or "",
            input=command.input,
            seed=command.seed,
            command_id=command.command_id,
            started_by=command.started_by,
            identity=origin.identity,
            channel=origin.channel,
            source=origin.source,
            traceparent=origin.traceparent,
        ),
    )


def _cancel(run: RunState | None, command: CancelRun) -> Ruling:
    refused = _not_active(run, command.run_id)
    if refused is not None or run is None:
        return refused or _unknown(command.run_id)
    if run.phase == "cancelling":
        return Repeat(seq=run.seq)
    origin = command.origin
    return (
        CancelRequested(
            reason=command.reason,
            cancelled_by=command.cancelled_by,
            identity=origin.identity,
            command_id=command.command_id,
            channel=origin.channel,
            source=origin.source,
        ),
    )


def _unblock(run: RunState | None, command: UnblockRun) -> Ruling:
    refused = _not_active(run, command.run_id)
    if refused is not None or run is None:
        return refused or _unknown(command.run_id)
    return () if run.blocked is not None else Repeat(seq=run.seq)


def _not_active(run: RunState | None, run_id: str) -> Rejection | None:
    if run is None:
        return _unknown(run_id)
    if run.ended:
        message = f"expected an active run, found {run_id!r}, which is {run.phase}"
        return Rejection(reason="run_ended", message=message)
    return None


def _unknown(run_id: str) -> Rejection:
    return Rejection(
        reason="unknown_run", message=f"expected a run of this log, found no {run_id!r}"
    )
