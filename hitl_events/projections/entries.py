"""What somebody brought to a gate, as a row: who, when, through what, and on which draft.

What counted is a decision, what was refused an attempt; both have these fields.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from hitl_events.domain.events import DecisionReceived, DecisionRejected, RunStarted, Source
from hitl_events.domain.references import shown
from hitl_events.domain.values import GateId, RunId, gate_id, iso, value
from hitl_events.projections.pauses import PauseRow


@value
class Entry:
    """Event `seq` recorded it `at` that time; the pause that it names is None if it names none.

    `draft_digest` is that of the draft shown, `echoed_digest` and `claimed_at` are what the one
    who decided said. `identity` says how far `decided_by` can be believed.
    """

    run_id: RunId
    recipe: str
    version: str
    seq: int
    at: datetime
    gate: str | None
    occurrence: int | None
    opened_seq: int | None
    opened_at: datetime | None
    draft_digest: bytes | None
    decision_id: str
    verdict: str
    notes: str | None
    data: bytes | None
    decided_by: str | None
    identity: str
    key_id: str | None
    claimed_at: datetime | None
    echoed_digest: bytes | None
    channel: str
    source: Source | None

    @property
    def gate_id(self) -> GateId | None:
        """The public name of the pause."""
        return None if self.opened_seq is None else gate_id(self.run_id, self.opened_seq)

    @property
    def waited(self) -> timedelta | None:
        """How long the gate had been open."""
        return None if self.opened_at is None else self.at - self.opened_at

    def to_json(self) -> dict[str, Any]:
        """All of it in plain JSON: times as in an outcome, digests in hex, lengths in seconds."""
        return {
            "run_id": self.run_id,
            "recipe": self.recipe,
            "version": self.version,
            "gate": self.gate,
            "occurrence": self.occurrence,
            "gate_id": self.gate_id,
            "opened_at": _time(self.opened_at),
            "draft_digest": _hex(self.draft_digest),
            "seq": self.seq,
            "at": iso(self.at),
            "waited_s": None if self.waited is None else self.waited.total_seconds(),
            "decision_id": self.decision_id,
            "verdict": self.verdict,
            "notes": self.notes,
            "data": None if self.data is None else shown(self.data),
            "decided_by": self.decided_by,
            "identity": self.identity,
            "key_id": self.key_id,
            "claimed_at": _time(self.claimed_at),
            "echoed_digest": _hex(self.echoed_digest),
            "channel": self.channel,
            "source": None if self.source is None else asdict(self.source),
        }


def entry_fields(
    started: RunStarted, pause: PauseRow | None, event: DecisionReceived | DecisionRejected
) -> dict[str, Any]:
    """The fields of an `Entry`, for the constructor of what it is."""
    return {
        "run_id": event.run_id,
        "recipe": started.recipe,
        "version": started.version,
        "seq": event.seq,
        "at": event.recorded_at,
        "gate": event.gate,
        "occurrence": event.occurrence,
        "opened_seq": None if pause is None else pause.seq,
        "opened_at": None if pause is None else pause.opened_at,
        "draft_digest": None if pause is None else pause.draft_digest,
        "decision_id": event.decision_id,
        "verdict": event.verdict,
        "notes": event.notes,
        "data": event.data,
        "decided_by": event.decided_by,
        "identity": event.identity,
        "key_id": event.key_id,
        "claimed_at": event.decided_at,
        "echoed_digest": event.draft_digest,
        "channel": event.channel,
        "source": event.source,
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else iso(at)


def _hex(digest: bytes | None) -> str | None:
    return None if digest is None else digest.hex()
