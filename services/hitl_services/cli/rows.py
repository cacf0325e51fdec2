"""One line of a list: an open gate, a run. As JSON with the field names of the contract."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from hitl_events.domain.events import Event, GatePaused, RunStarted
from hitl_events.domain.references import shown
from hitl_events.domain.values import gate_id, iso, value
from hitl_events.ports import RunPosition
from hitl_events.projections.runs import RunRow

STATUSES = {
    "ok": frozenset({"completed"}),
    "paused": frozenset({"paused"}),
    "running": frozenset({"running"}),
    "error": frozenset({"failed", "cancelled", "blocked"}),
}
"""The status of an outcome, and the words of the log that it stands for."""

_OUTCOME_STATUS = {word: status for status, words in STATUSES.items() for word in words}


@value
class OpenGate:
    """A pause that waits for its decision."""

    started: RunStarted
    paused: GatePaused
    token: str | None = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """An entry of `hitl pending --json`."""
        paused = self.paused
        expires_at = paused.expires_at
        return {
            "gate_id": gate_id(paused.run_id, paused.seq),
            "token": self.token,
            "run_id": paused.run_id,
            "recipe": self.started.recipe,
            "gate": paused.gate,
            "pause_kind": paused.pause_kind,
            "since": iso(paused.recorded_at),
            "expires_at": None if expires_at is None else iso(expires_at),
            "verdicts": list(paused.verdicts),
            "draft_digest": paused.draft_digest.hex(),
            "draft": shown(paused.draft),
        }


def outcome_status(row: RunRow) -> str:
    """The status of the run's outcome."""
    return _OUTCOME_STATUS[row.status]


def run_json(row: RunRow) -> dict[str, Any]:
    """An entry of `hitl runs --json`."""
    return {
        "run_id": row.run_id,
        "recipe": row.recipe,
        "version": row.version,
        "status": outcome_status(row),
        "seq": row.seq,
        "started_at": iso(row.started_at),
        "updated_at": iso(row.updated_at),
    }


def row_of(position: RunPosition, first: RunStarted, last: Event) -> RunRow:
    """The row of a run by what the log keeps of it, its first event and its last."""
    return RunRow(
        run_id=first.run_id,
        recipe=first.recipe,
        version=first.version,
        status=position.status,
        seq=position.seq,
        head=position.head,
        started_at=first.recorded_at,
        updated_at=last.recorded_at,
        open_gates=position.gates,
    )
