"""Ruling on a decision: the closed list of refusals in its order of precedence, and expiry."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from hitl_events.domain import canonical
from hitl_events.domain.events import DecisionReceived, DecisionRejected, Event, GateClosed
from hitl_events.domain.policy import data_problem
from hitl_events.domain.refusals import REJECTED_PER_RUN_MAX, Reason, Rejection, Repeat, Winner
from hitl_events.domain.state import winner_of
from hitl_events.domain.values import digest, gate_id, maker

if TYPE_CHECKING:
    from hitl_events.domain.commands import Decide
    from hitl_events.domain.state import GateState, RunState

_Refusal: TypeAlias = tuple[Reason, str]

_new_decided = maker(DecisionReceived)
SCHEDULE_PREFIX = "schedule:"
"""Of the ids of decisions that the system makes when a gate's time is over; nobody else's."""


def process_decision(
    run: RunState | None, command: Decide
) -> tuple[Event, ...] | Rejection | Repeat:
    """The events of a decision whose token's MAC holds; `command.claim` names the pause."""
    claim = command.claim
    if claim is None:
        return _bad_token()
    if run is None:
        message = f"expected a run of this log, found no {claim.run_id!r}"
        return Rejection(reason="unknown_run", message=message)
    gate = run.gate_at(claim.seq)
    if gate is None or run.started.seed[:8] != claim.seed_prefix:
        return _bad_token()
    bound = run.decisions.get(command.decision_id)
    if bound is None:
        return _rule(run, command, gate)
    same = bound.content_digest == command.content_digest
    first = bound if same else run.conflicts.get((command.decision_id, command.content_digest))
    if first is not None:
        return Repeat(seq=first.seq, rejection=_first_answer(run, first))
    message = f"decision id {command.decision_id!r} was used before with other content"
    return _refuse(run, command, gate, ("conflict", message))


def _rule(run: RunState, command: Decide, gate: GateState) -> tuple[Event, ...] | Rejection:
    end = gate.paused.expires_at
    if gate.status == "pending" and end is not None and command.origin.arrived_at > end:
        # The log holds no expiry yet, but this record proves that the time is over.
        expiry = expire(gate)
        if isinstance(expiry, DecisionReceived):
            used = _used(expiry.decision_id, expiry.verdict)
            # decided_at: the expiry has no event yet, and gets none where the refusal has no place
            winner = winner_of(replace(expiry, recorded_at=end))
            refused = _refuse(run, command, gate, used, winner)
        else:
            refused = _refuse(run, command, gate, _expired(gate))
        return (expiry, *refused) if isinstance(refused, tuple) else refused
    refusal = _closed(run, gate) or _misfit(gate, command)
    if refusal is not None:
        return _refuse(run, command, gate, refusal, gate.winner)
    return (_received(command, gate),)


def expire(gate: GateState) -> DecisionReceived | GateClosed:
    """What happens to an open gate whose time is over: decided by the system, or closed."""
    paused = gate.paused
    if paused.on_expiry is None:
        return GateClosed(gate=paused.gate, occurrence=paused.occurrence, reason="expired")
    content = {"gate": gate_id(paused.run_id, paused.seq), "verdict": paused.on_expiry}
    return DecisionReceived(
        gate=paused.gate,
        occurrence=paused.occurrence,
        decision_id=SCHEDULE_PREFIX + gate_id(paused.run_id, paused.seq),
        content_digest=digest(canonical.dumps(content)),
        verdict=paused.on_expiry,
        identity="authenticated",
        channel="schedule",
        resolution=paused.on_expiry,
    )


def _closed(run: RunState, gate: GateState) -> _Refusal | None:
    """Why a gate takes no decision any more; None while it is open."""
    if gate.status == "pending":
        return None
    if gate.decision is not None:
        return _used(gate.decision.decision_id, gate.decision.verdict)
    if gate.status == "expired":
        return _expired(gate)
    if gate.status in {"superseded", "withdrawn"}:
        return (
            "superseded",
            f"gate {gate.paused.gate!r} was closed without a decision ({gate.status})",
        )
    how = "is being cancelled" if run.phase == "cancelling" else f"has {run.phase}"
    return "run_ended", f"run {run.started.run_id!r} {how}"


def _misfit(gate: GateState, command: Decide) -> _Refusal | None:
    """Why a decision does not fit an open gate; None if it does."""
    paused = gate.paused
    if command.draft_digest is not None and command.draft_digest != paused.draft_digest:
        return "artefact_changed", (
            f"expected a decision on the draft with digest {paused.draft_digest.hex()}, "
            f"found one on {command.draft_digest.hex()}"
        )
    if command.verdict not in paused.verdicts:
        offered = ", ".join(paused.verdicts)
        return "unknown_verdict", f"expected one of {offered}, found {command.verdict!r}"
    problem = data_problem(paused, command.data) or command.data_problem
    return ("invalid_data", problem) if problem else None


def _received(command: Decide, gate: GateState) -> DecisionReceived:
    return _new_decided(
        gate=gate.paused.gate,
        occurrence=gate.paused.occurrence,
        decision_id=command.decision_id,
        content_digest=command.content_digest,
        verdict=command.verdict,
        notes=command.notes,
        data=command.data,
        decided_by=command.decided_by,
        identity=command.origin.identity,
        key_id=command.key_id,
        decided_at=command.decided_at,
        draft_digest=command.draft_digest,
        channel=command.origin.channel,
        source=command.origin.source,
        traceparent=command.origin.traceparent,
        resolution=command.verdict,
    )


def _refuse(
    run: RunState,
    command: Decide,
    gate: GateState,
    refusal: _Refusal,
    winner: Winner | None = None,
) -> tuple[Event, ...] | Rejection:
    reason, message = refusal
    named = winner if reason == "token_used" else None
    if run.rejected >= REJECTED_PER_RUN_MAX:
        return Rejection(reason=reason, message=message, winner=named)
    return (
        DecisionRejected(
            gate=gate.paused.gate,
            occurrence=gate.paused.occurrence,
            decision_id=command.decision_id,
            content_digest=command.content_digest,
            verdict=command.verdict,
            notes=command.notes,
            data=command.data,
            decided_by=command.decided_by,
            identity=command.origin.identity,
            key_id=command.key_id,
            decided_at=command.decided_at,
            draft_digest=command.draft_digest,
            channel=command.origin.channel,
            source=command.origin.source,
            traceparent=command.origin.traceparent,
            reason=reason,
            message=message,
            winner_decision_id=named.decision_id if named else None,
        ),
    )


def rejection_of(run: RunState, event: DecisionRejected) -> Rejection:
    """A recorded refusal as the answer to the one who asked."""
    winner = None
    if event.winner_decision_id is not None and event.gate is not None:
        gate = run.gates.get((event.gate, event.occurrence or 1))
        winner = gate.winner if gate else None
    return Rejection(
        reason=event.reason,  # type: ignore[arg-type]  # a closed list, read back from our own event
        message=event.message,
        winner=winner,
        recorded=True,
    )


def _first_answer(run: RunState, first: DecisionReceived | DecisionRejected) -> Rejection | None:
    return rejection_of(run, first) if isinstance(first, DecisionRejected) else None


def _bad_token() -> Rejection:
    message = (
        "expected a token that this log issued, found one that is forged, cut or of another log"
    )
    return Rejection(reason="invalid_token", message=message)


def _used(decision_id: str, verdict: str) -> _Refusal:
    return "token_used", f"the gate was closed by decision {decision_id!r} with {verdict!r}"


def _expired(gate: GateState) -> _Refusal:
    return "token_expired", f"gate {gate.paused.gate!r} expired without a decision"
