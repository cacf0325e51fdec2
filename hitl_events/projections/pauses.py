"""Pauses as rows: what a gate asked, of whom, since when, and how it closed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hitl_events.domain import canonical
from hitl_events.domain.events import (
    About,
    CancelRequested,
    DecisionReceived,
    Event,
    GateClosed,
    GatePaused,
    RunFailed,
    RunStarted,
)
from hitl_events.domain.values import GateId, RunId, gate_id, iso, maker, value
from hitl_events.errors import ImpossibleHistory


@value
class Closing:
    """The event that closed a gate; `decision_id` where it was a decision.

    `how` is `decision`, `schedule` (the clock decided), `expired`, `superseded`, `withdrawn`, or
    the end of the run: `cancelled`, `failed`.
    """

    how: str
    seq: int
    at: datetime
    decision_id: str | None = None

    def to_json(self) -> dict[str, Any]:
        """`{how, seq, at, decision_id}`."""
        return {
            "how": self.how,
            "seq": self.seq,
            "at": iso(self.at),
            "decision_id": self.decision_id,
        }


@value
class PauseRow:
    """One round of a gate: event `seq` opened it, `closing` is None while it is open.

    Who was asked is what the event says of it: the kind of the pause, the policy where there is
    one, and the step that a reconcile gate is about. The draft itself stays in the event: the row
    has its digest.
    """

    run_id: RunId
    recipe: str
    version: str
    gate: str
    occurrence: int
    seq: int
    opened_at: datetime
    pause_kind: str
    draft_digest: bytes
    verdicts: tuple[str, ...]
    policy: bytes | None = None
    about: About | None = None
    expires_at: datetime | None = None
    on_expiry: str | None = None
    status: str = "pending"
    closing: Closing | None = None

    @property
    def gate_id(self) -> GateId:
        """The public name of the pause."""
        return gate_id(self.run_id, self.seq)

    def to_json(self) -> dict[str, Any]:
        """All of it in plain JSON: times as in an outcome, digests in hex."""
        about, closing = self.about, self.closing
        return {
            "gate_id": self.gate_id,
            "run_id": self.run_id,
            "recipe": self.recipe,
            "version": self.version,
            "gate": self.gate,
            "occurrence": self.occurrence,
            "seq": self.seq,
            "opened_at": iso(self.opened_at),
            "pause_kind": self.pause_kind,
            "draft_digest": self.draft_digest.hex(),
            "verdicts": list(self.verdicts),
            "policy": None if self.policy is None else canonical.loads(self.policy),
            "about": about and {"step": about.step, "occurrence": about.occurrence},
            "expires_at": None if self.expires_at is None else iso(self.expires_at),
            "on_expiry": self.on_expiry,
            "status": self.status,
            "closing": closing and closing.to_json(),
        }


_new_row = maker(PauseRow)


def pause_row(
    started: RunStarted,
    paused: GatePaused,
    status: str = "pending",
    closing: Closing | None = None,
) -> PauseRow:
    """The row of a gate, as it opens or with how it closed."""
    return _new_row(
        run_id=paused.run_id,
        recipe=started.recipe,
        version=started.version,
        gate=paused.gate,
        occurrence=paused.occurrence,
        seq=paused.seq,
        opened_at=paused.recorded_at,
        pause_kind=paused.pause_kind,
        draft_digest=paused.draft_digest,
        verdicts=paused.verdicts,
        policy=paused.policy,
        about=paused.about,
        expires_at=paused.expires_at,
        on_expiry=paused.on_expiry,
        status=status,
        closing=closing,
    )


def closing_of(event: Event) -> Closing:
    """How the event closes the gates that it closes."""
    decision_id = event.decision_id if isinstance(event, DecisionReceived) else None
    return Closing(how=_how(event), seq=event.seq, at=event.recorded_at, decision_id=decision_id)


def _how(event: Event) -> str:
    match event:
        case DecisionReceived():
            return "schedule" if event.channel == "schedule" else "decision"
        case GateClosed():
            return event.reason
        case CancelRequested():
            return "cancelled"
        case RunFailed():
            return "failed"
        case _:
            problem = f"expected an event that closes gates, found {type(event).__name__}"
            raise ImpossibleHistory(event.run_id, event.seq, problem)
