"""Why a gate is pending, decided or closed, and why decisions were refused: from events only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from hitl_events.audit.grounds import Ground, of_doubt, of_event, of_opening, of_waiting
from hitl_events.audit.sentences import decided, went_on
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
)
from hitl_events.domain.evolve import fold
from hitl_events.domain.refusals import Winner
from hitl_events.domain.state import RunState
from hitl_events.domain.values import GateId, gate_id, iso, value
from hitl_events.errors import InvalidInput


@value
class Statement:
    """One plain sentence, the event that bears it out, and what it rests on."""

    statement: str
    run_id: str
    seq: int
    because: tuple[Statement, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """`{statement, run_id, seq}`."""
        return {"statement": self.statement, "run_id": self.run_id, "seq": self.seq}

    def tree(self) -> dict[str, Any]:
        """`{statement, run_id, seq, because: [...]}`, as deep as it goes."""
        return self.to_json() | {"because": [each.tree() for each in self.because]}


@value
class Explanation:
    """`verdict` is the gate's status; `winner` the decision that closed it, if one did.

    `proof` says the status, because of what is in `why`, each because of what made it so.
    """

    gate_id: GateId
    verdict: str
    proof: Statement
    winner: Winner | None

    @property
    def why(self) -> tuple[Statement, ...]:
        """What happened to the gate, in the order of the events."""
        return self.proof.because

    def to_json(self) -> dict[str, Any]:
        """`{gate_id, verdict, why: [{statement, run_id, seq}], winner, proof}`, a tree the last."""
        return {
            "gate_id": self.gate_id,
            "verdict": self.verdict,
            "why": [each.to_json() for each in self.why],
            "winner": self.winner and _winner(self.winner),
            "proof": self.proof.tree(),
        }


def explain(events: Sequence[Event], gate_seq: int) -> Explanation:
    """The account of the gate that event `gate_seq` of this run opened, as of the last event."""
    run = fold(events)
    gate = run.gate_at(gate_seq) if run else None
    if run is None or gate is None:
        whose = f"run {run.started.run_id!r}" if run else "a run without events"
        raise InvalidInput(f"expected a gate that {whose} opened, found none at event {gate_seq}")
    run_id, paused = run.started.run_id, gate.paused
    closing = next((each for each in events[gate_seq:] if _closes(each, paused)), events[-1])
    proof = Statement(
        statement=f"Gate {paused.gate!r} ({paused.occurrence}) is {gate.status}.",
        run_id=run_id,
        seq=closing.seq,
        because=tuple(
            Statement(
                statement=statement,
                run_id=run_id,
                seq=seq,
                because=tuple(
                    Statement(statement=ground, run_id=run_id, seq=at) for at, ground in rests_on
                ),
            )
            for seq, statement, rests_on in _why(run, paused, events)
        ),
    )
    return Explanation(
        gate_id=gate_id(run_id, gate_seq), verdict=gate.status, proof=proof, winner=gate.winner
    )


def _why(
    run: RunState, paused: GatePaused, events: Sequence[Event]
) -> Iterator[tuple[int, str, Iterable[Ground]]]:
    for sentence, rests_on in _opened(paused, events):
        yield paused.seq, sentence, rests_on
    is_open, has_gone_on = True, False
    for event in events:
        if event.seq <= paused.seq:
            continue
        said = _said(event, paused, is_open=is_open)
        if not (said or is_open or has_gone_on) and (done := went_on(event)):
            has_gone_on, said = True, f"After that {done}."
        if said:
            yield event.seq, said, of_event(event, paused, events)
        is_open = is_open and not _closes(event, paused)
    if is_open:
        said = f"No decision has come up to event {run.seq}: the gate waits."
        yield run.seq, said, of_waiting(paused, events)
    elif not has_gone_on and not run.ended:
        why = f": it is blocked ({run.blocked.code})" if run.blocked else ""
        yield run.seq, f"The run has not gone on up to event {run.seq}{why}.", ()


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


def _opened(paused: GatePaused, events: Sequence[Event]) -> Iterator[tuple[str, Iterable[Ground]]]:
    nth = f" ({paused.occurrence})" if paused.occurrence > 1 else ""
    draft, offered = paused.draft_digest.hex(), ", ".join(paused.verdicts)
    at = iso(paused.recorded_at)
    said = (
        f"Gate {paused.gate!r}{nth}, of kind {paused.pause_kind}, was opened at {at} "
        f"on the draft with digest {draft}; it offers {offered}."
    )
    yield said, of_opening(paused, events)
    about = paused.about
    if about is not None:
        said = f"It asks whether step {about.step!r} happened: it began, its end was not recorded."
        yield said, of_doubt(paused, events)
    if paused.expires_at is not None:
        verdict = paused.on_expiry
        then = "it closes undecided" if verdict is None else f"the schedule decides {verdict!r}"
        yield f"It waits until {iso(paused.expires_at)}; after that {then}.", ()


def _of_the_gate(event: Event) -> str:
    match event:
        case DecisionRejected():
            return f"{decided(event)} was refused as {event.reason}: {event.message}."
        case DecisionReceived(resolution=None):
            return f"{decided(event)} was received; more decisions are needed."
        case DecisionReceived():
            return f"{decided(event)} was received and closed the gate: {event.resolution}."
        case GateClosed():
            return f"The gate was closed without a decision: {event.reason}."
        case _:
            return ""


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


def _winner(winner: Winner) -> dict[str, Any]:
    return {
        "decision_id": winner.decision_id,
        "verdict": winner.verdict,
        "decided_by": winner.decided_by,
        "decided_at": iso(winner.decided_at),
    }
