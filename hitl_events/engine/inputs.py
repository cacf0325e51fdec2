"""What comes into the engine: submissions, step results, timers and wake-ups."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from hitl_events.domain.commands import Command, Decide, StepEnd
from hitl_events.domain.refusals import Refused
from hitl_events.domain.requests import StepRequest
from hitl_events.domain.state import StepKey
from hitl_events.domain.values import RunId, value
from hitl_events.ports import InboundRecord


@value
class Submission:
    """A command with the record it came in. `ticket` finds who waits for the answer, 0 nobody.

    `record` is called for a dead letter only: the owner's own calls have no bytes before that.
    `settles` is the intake's offset that this answers, None for the owner's own calls.
    """

    command: Command | Refused
    record: Callable[[], InboundRecord]
    ticket: int = 0
    settles: int | None = None


@value
class StepReport(StepEnd):
    """An attempt ended, as its process says; `uncertain`: nobody knows whether it happened."""

    run_id: RunId
    key: StepKey
    uncertain: bool = False


@value
class Due:
    """A timer of the run is due; its state says which.

    The intake was read to its end after `until`: whoever decided before that has been heard.
    """

    run_id: RunId
    until: datetime


@value
class Wake:
    """Take the run up: a new owner found it with work, or somebody waits for it.

    `found_busy`: the log says so. Where that is not true (any more) the log is told, so that the
    next owner does not find it again.
    """

    run_id: RunId
    found_busy: bool = False


@value
class StepStart:
    """A step to begin once the batch it came with is durable."""

    run_id: RunId
    request: StepRequest
    attempt: int


Input: TypeAlias = Submission | StepReport | Due | Wake


def run_of(entry: Input) -> RunId | None:
    """The run that an input is about; None where it has none (a record that could not be read)."""
    if not isinstance(entry, Submission):
        return entry.run_id
    command = entry.command
    if isinstance(command, Decide):
        return command.claim.run_id if command.claim else None
    return None if isinstance(command, Refused) else command.run_id
