"""Refused attempts as rows: who tried to decide what, and why it did not count."""

from __future__ import annotations

from typing import Any

from hitl_events.domain.events import DecisionRejected, RunStarted
from hitl_events.domain.values import value
from hitl_events.projections.entries import Entry, entry_fields
from hitl_events.projections.pauses import PauseRow


@value
class AttemptRow(Entry):
    """A decision that was refused: `reason` is of the closed list.

    `winner_decision_id` names the decision that had closed the gate, where that is the reason.
    """

    reason: str
    message: str
    winner_decision_id: str | None

    def to_json(self) -> dict[str, Any]:
        """As any entry, with `type`, `reason`, `message` and `winner_decision_id`."""
        # by name: in a slotted dataclass the bare `super()` is that of the class before its slots
        held = Entry.to_json(self)
        return (
            {"type": "attempt"}
            | held
            | {
                "reason": self.reason,
                "message": self.message,
                "winner_decision_id": self.winner_decision_id,
            }
        )


def attempt_row(started: RunStarted, pause: PauseRow | None, event: DecisionRejected) -> AttemptRow:
    """The row of an attempt on that pause, on none if it named none."""
    return AttemptRow(
        **entry_fields(started, pause, event),
        reason=event.reason,
        message=event.message,
        winner_decision_id=event.winner_decision_id,
    )
