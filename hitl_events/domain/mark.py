"""The end mark: what is kept of a run that is over, so that late commands get the right answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from hitl_events.domain.events import DecisionReceived, DecisionRejected, GatePaused, RunStarted
from hitl_events.domain.state import GateKey, GateState, Phase, RunState
from hitl_events.domain.values import NO_DIGEST, RunId, digest, value


@value
class GateMark:
    """A gate of the run: how it closed, and the `seq` of the decision that closed it."""

    seq: int
    gate: str
    occurrence: int
    status: str
    decision: int | None = None


@value
class DecisionMark:
    """A recorded decision, so that a repeat is known as one; the first of its id has bound that.

    `pause` is the seq of the gate's `GatePaused`. `reason` (and `message`, `winner_decision_id`)
    are those of a refusal, None where the decision counted.
    """

    seq: int
    recorded_at: datetime
    decision_id: str
    content_digest: bytes
    verdict: str
    decided_by: str | None = None
    pause: int | None = None
    reason: str | None = None
    message: str | None = None
    winner_decision_id: str | None = None


@value
class EndMark:
    """A run that is over: `head` is the digest of its last event, `start_digest` of its input.

    `first_offset` and `last_offset` say where its first and last event stand in a log that counts
    them. `rejected` are the refusals that were recorded, also those that are forgotten here.
    """

    run_id: RunId
    seq: int
    head: bytes
    phase: str
    recorded_at: datetime
    started_at: datetime
    recipe: str
    version: str
    start_digest: bytes
    seed: bytes
    reason: str = ""
    rejected: int = 0
    first_offset: int = 0
    last_offset: int = 0
    gates: tuple[GateMark, ...] = ()
    decisions: tuple[DecisionMark, ...] = ()


def mark_of(run: RunState, head: bytes, first_offset: int = 0, last_offset: int = 0) -> EndMark:
    """The mark of an ended run, or of what was made of such a mark."""
    started = run.started
    return EndMark(
        run_id=started.run_id,
        seq=run.seq,
        head=head,
        phase=run.phase,
        recorded_at=run.recorded_at,
        started_at=started.recorded_at,
        recipe=started.recipe,
        version=started.version,
        start_digest=run.start_digest or digest(started.input),
        seed=started.seed,
        reason=run.reason,
        rejected=run.rejected,
        first_offset=first_offset,
        last_offset=last_offset,
        gates=tuple(_gate_mark(gate) for gate in run.gates.values()),
        decisions=tuple(_decision_mark(run, made) for made in _recorded(run)),
    )


def state_of(mark: EndMark) -> RunState:
    """The state that answers as the whole run would; what it does not need for that is empty."""
    pauses = {gate.seq: gate for gate in mark.gates}
    decisions = {
        made.seq: _decision(mark, made, pauses.get(made.pause or 0)) for made in mark.decisions
    }
    run = RunState(
        started=RunStarted(
            run_id=mark.run_id,
            seq=1,
            recorded_at=mark.started_at,
            recipe=mark.recipe,
            version=mark.version,
            input=b"",
            seed=mark.seed,
            command_id="",
            identity="",
            channel="",
        ),
        start_digest=mark.start_digest,
        phase=_PHASES[mark.phase],
        seq=mark.seq,
        recorded_at=mark.recorded_at,
        gates=dict(_gates(mark, decisions)),
        rejected=mark.rejected,
        reason=mark.reason,
    )
    for seq in sorted(decisions):
        run.remember(decisions[seq])
    return run


def _recorded(run: RunState) -> list[DecisionReceived | DecisionRejected]:
    """All that a repeat may be of, in the order of the log: the first of an id has bound it."""
    return sorted([*run.decisions.values(), *run.conflicts.values()], key=_seq)


def _seq(made: DecisionReceived | DecisionRejected) -> int:
    return made.seq


def winners_only(mark: EndMark) -> EndMark:
    """The mark without the decisions that closed no gate: a repeat of one is a new one then.

    Head, status, digest of the start and every winner stay.
    """
    winners = {gate.decision for gate in mark.gates}
    kept = tuple(made for made in mark.decisions if made.seq in winners)
    return mark if len(kept) == len(mark.decisions) else replace(mark, decisions=kept)


_PHASES: dict[str, Phase] = {
    "completed": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}


def _gate_mark(gate: GateState) -> GateMark:
    return GateMark(
        seq=gate.paused.seq,
        gate=gate.paused.gate,
        occurrence=gate.paused.occurrence,
        status=gate.status,
        decision=None if gate.decision is None else gate.decision.seq,
    )


def _gates(
    mark: EndMark, decisions: dict[int, DecisionReceived | DecisionRejected]
) -> Iterator[tuple[GateKey, GateState]]:
    for each in mark.gates:
        paused = GatePaused(
            run_id=mark.run_id,
            seq=each.seq,
            gate=each.gate,
            occurrence=each.occurrence,
            pause_kind="",
            draft=b"",
            draft_digest=NO_DIGEST,
            verdicts=(),
            token_kid="",
        )
        made = decisions.get(each.decision or 0)
        winner = made if isinstance(made, DecisionReceived) else None
        yield (
            (each.gate, each.occurrence),
            GateState(paused=paused, status=each.status, decision=winner),
        )


def _decision(
    mark: EndMark, made: DecisionMark, gate: GateMark | None
) -> DecisionReceived | DecisionRejected:
    if made.reason is None:
        return DecisionReceived(
            run_id=mark.run_id,
            seq=made.seq,
            recorded_at=made.recorded_at,
            gate=gate.gate if gate else "",
            occurrence=gate.occurrence if gate else 1,
            decision_id=made.decision_id,
            content_digest=made.content_digest,
            verdict=made.verdict,
            decided_by=made.decided_by,
            identity="",
            channel="",
        )
    return DecisionRejected(
        run_id=mark.run_id,
        seq=made.seq,
        recorded_at=made.recorded_at,
        gate=gate.gate if gate else None,
        occurrence=gate.occurrence if gate else None,
        decision_id=made.decision_id,
        content_digest=made.content_digest,
        verdict=made.verdict,
        decided_by=made.decided_by,
        identity="",
        channel="",
        reason=made.reason,
        message=made.message or "",
        winner_decision_id=made.winner_decision_id,
    )


def _decision_mark(run: RunState, made: DecisionReceived | DecisionRejected) -> DecisionMark:
    key = (made.gate or "", made.occurrence or 1)
    gate = run.gates.get(key)
    refused = made if isinstance(made, DecisionRejected) else None
    return DecisionMark(
        seq=made.seq,
        recorded_at=made.recorded_at,
        decision_id=made.decision_id,
        content_digest=made.content_digest,
        verdict=made.verdict,
        decided_by=made.decided_by,
        pause=None if gate is None else gate.paused.seq,
        reason=refused.reason if refused else None,
        message=refused.message if refused else None,
        winner_decision_id=refused.winner_decision_id if refused else None,
    )
