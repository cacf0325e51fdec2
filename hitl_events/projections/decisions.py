"""Decisions as rows: who decided what, when, on which draft, and whether it closed the gate."""

from __future__ import annotations

from typing import Any

from hitl_events.domain.events import DecisionReceived, RunStarted
from hitl_events.domain.values import maker, value
from hitl_events.projections.entries import Entry, entry_fields
from hitl_events.projections.pauses import PauseRow


@value
class DecisionRow(Entry):
    """A decision that counted. `resolution` is the verdict with which it closed the gate.

    None there: the gate waited for more decisions. One that the clock made has the channel
    `schedule` and nobody who decided.
    """

    resolution: str | None

    def to_json(self) -> dict[str, Any]:
        """As any entry, with `type` and `resolution`."""
        # by name: in a slotted dataclass the bare `super()` is that of the class before its slots
        held = Entry.to_json(self)
        return {"type": "decision"} | held | {"resolution": self.resolution}


_new_row = maker(DecisionRow)


def decision_row(started: RunStarted, pause: PauseRow, event: DecisionReceived) -> DecisionRow:
    """The row of a decision on that pause."""
    return _new_row(**entry_fields(started, pause, event), resolution=event.resolution)
