"""One line of a list: an open gate, a run. As JSON with the field names of the contract."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import Any

from hitl_events.domain import canonical
from hitl_events.domain.events import Event, GatePaused, RunStarted
from hitl_events.domain.values import gate_id, iso, value
from hitl_events.ports import RunPosition

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
            "draft": canonical.loads(paused.draft),
        }


@value
class RunRow:
    """A run by what the log keeps of it, its first event and its last."""

    position: RunPosition
    started: RunStarted
    updated_at: datetime

    @property
    def status(self) -> str:
        """The status of its outcome."""
        return _OUTCOME_STATUS[self.position.status]

    def to_json(self) -> dict[str, Any]:
        """An entry of `hitl runs --json`."""
        return {
            "run_id": self.started.run_id,
            "recipe": self.started.recipe,
            "version": self.started.version,
            "status": self.status,
            "seq": self.position.seq,
            "started_at": iso(self.started.recorded_at),
            "updated_at": iso(self.updated_at),
        }


def row_of(position: RunPosition, first: RunStarted, last: Event) -> RunRow:
    """The row of a run."""
    return RunRow(position=position, started=first, updated_at=last.recorded_at)
