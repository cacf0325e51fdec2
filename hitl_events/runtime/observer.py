"""Who is told what the runtime did."""

from __future__ import annotations

from typing import Protocol

from hitl_events.domain.values import RunId
from hitl_events.engine.turn import Turn


class Observer(Protocol):
    """Metrics and logs hang here; none of it may raise."""

    def committed(self, turn: Turn, commit_s: float) -> None:
        """A batch is durable; its commit took `commit_s` seconds."""
        ...

    def fault(self, run_id: RunId | None, error: Exception) -> None:
        """Processing one record raised (a defect of ours); its neighbours went on."""
        ...


class Quiet:
    """Tells nobody."""

    def committed(self, turn: Turn, commit_s: float) -> None:
        """Nothing."""

    def fault(self, run_id: RunId | None, error: Exception) -> None:
        """Nothing."""
