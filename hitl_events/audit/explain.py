"""Why a gate is pending, decided or closed, and why decisions were refused: from events only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

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
    RunUnblocked,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from hitl_events.domain.evolve import fold
from hitl_events.domain.refusals import Winner
from hitl_events.domain.state import RunState
from hitl_events.domain.values import GateId, gate_id, iso, value
from hitl_events.errors import InvalidInput


@value
class Statement:
    """One plain sentence and the event that bears it out."""

    statement: str
    run_id: str
    seq: int


@value
class Explanation:
    """`verdict` is the gate's status; `winner` the decision that closed it, if one did."""

    gate_id: GateId
    verdict: str
    why: tuple[Statement, ...]
    winner: Winner | None

    def to_json(self) -> dict[str, Any]:
        """`{gate_id, verdict, why: [{statement, run_id, seq}], winner}`."""
        return {
            "gate_id": self.gate_id,
            "verdict": self.verdict,
            "why": [
                {"statement": each.statement, "run_id": each.run_id, "seq": each.seq}
                for each in self.why
            ],
            "winner": self.winner and _winner(self.winner),
        }


def explain(events: Sequence[Event], gate_seq: int) -> Explanation:
    """The account of the gate that event `gate_seq` of this run opened, as of the last event."""
    run = fold(events)
    gate = run.gate_at(gate_seq) if run else None
    if run is None or gate is None:
        whose = f"run {run.started.run_id!r}" if run else "a run without events"
        raise InvalidInput(f"expected a gate that {whose} opened, found none at event {gate_seq}")
    run_id = run.started.run_id
    return Explanation(
        gate_id=gate_id(run_id, gate_seq),
        verdict=gate.status,
        why=tuple(
            Statement(statement=statement, run_id=run_id, seq=seq)
            for seq, statement in _why(run, gate.paused, events)
        ),
        winner=gate.winner,
    )


def _why(run: RunState, paused: GatePaused, events: Sequence[Event]) -> Iterator[tuple[int, str]]:
    for sentence in _opened(paused):
        yield paused.seq, sentence
    is_open, has_gone_on = True, False
    for event in events:
        if event.seq <= paused.seq:
            continue
        said = _said(event, paused, is_open=is_open)
        if not (said or is_open or has_gone_on) and (went_on := _next(event)):
            has_gone_on, said = True, f"After that {went_on}."
        if said:
            yield event.seq, said
        is_open = is_open and not _closes(event, paused)
    if is_open:
        yield run.seq, f"No decision has come up to event {run.seq}: the gate waits."
    elif not has_gone_on and not run.ended:
        why = f": it is blocked ({run.blocked.code})" if run.blocked else ""
        yield run.seq, f"The run has not gone on up to event {run.seq}{why}."


def _said(event: Event, paused: GatePaused, *, is_open: bool) -> str:
    if _is_about(event, paused):
        return _of_the_gate(event)
    return _meanwhile(event) if is_open else ""


def _is_about(event: Event, paused: GatePaused) -> bool:
    match event:
        case DecisionReceived() | DecisionRejected() | GateClosed():
            return (event.gate, event.occurrence) == (paused.gate, paused.occurrence)
        case _:
            return False


def _closes(event: Event, paused: GatePaused) -> bool:
    match event:
        case DecisionReceived():
            return _is_about(event, paused) and event.resolution is not None
        case GateClosed():
            return _is_about(event, paused)
        case CancelRequested() | RunFailed() | RunCancelled() | RunCompleted():
            return True
        case _:
            return False


def _opened(paused: GatePaused) -> Iterator[str]:
    nth = f" ({paused.occurrence})" if paused.occurrence > 1 else ""
    draft, offered = paused.draft_digest.hex(), ", ".join(paused.verdicts)
    at = iso(paused.recorded_at)
    yield (
        f"Gate {paused.gate!r}{nth}, of kind {paused.pause_kind}, was opened at {at} "
        f"on the draft with digest {draft}; it offers {offered}."
    )
    about = paused.about
    if about is not None:
        yield f"It asks whether step {about.step!r} happened: it began, its end was not recorded."
    if paused.expires_at is not None:
        verdict = paused.on_expiry
        then = "it closes undecided" if verdict is None else f"the schedule decides {verdict!r}"
        yield f"It waits until {iso(paused.expires_at)}; after that {then}."


def _of_the_gate(event: Event) -> str:
    match event:
        case DecisionRejected():
            return f"{_decision(event)} was refused as {event.reason}: {event.message}."
        case DecisionReceived(resolution=None):
            return f"{_decision(event)} was received; more decisions are needed."
        case DecisionReceived():
            return f"{_decision(event)} was received and closed the gate: {event.resolution}."
        case GateClosed():
            return f"The gate was closed without a decision: {event.reason}."
        case _:
            return ""


def _decision(event: DecisionReceived | DecisionRejected) -> str:
    if event.channel == "schedule":
        return f"{event.verdict!r}, decided by the schedule ({event.decision_id!r}),"
    who = f"by {event.decided_by!r} ({event.identity})" if event.decided_by else "by nobody named"
    return (
        f"Decision {event.decision_id!r}, {event.verdict!r} {who}, through {event.channel!r} "
        f"at {iso(event.recorded_at)},"
    )


def _meanwhile(event: Event) -> str:
    """What else decides about an open gate."""
    match event:
        case CancelRequested():
            who = f" by {event.cancelled_by!r}" if event.cancelled_by else ""
            reason = f": {event.reason}" if event.reason else ""
            return f"The run was cancelled{who}{reason}. Its open gates closed, their tokens died."
        case RunFailed():
            return f"The run failed ({event.code}): {event.message}. Its open gates closed."
        case RunBlocked():
            return (
                f"The run was blocked ({event.code}): {event.message}. "
                "The gate takes decisions all the same."
            )
        case RunUnblocked():
            return "The run was unblocked."
        case _:
            return ""


def _next(event: Event) -> str:
    """What the run did once the gate was closed; "" for what is none of its doing."""
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


def _winner(winner: Winner) -> dict[str, Any]:
    return {
        "decision_id": winner.decision_id,
        "verdict": winner.verdict,
        "decided_by": winner.decided_by,
        "decided_at": iso(winner.decided_at),
    }
