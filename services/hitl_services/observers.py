"""One who is told of turns and partitions, and tells all the others."""

from __future__ import annotations

from hitl_events.domain.values import RunId
from hitl_events.engine.turn import Turn
from hitl_events.errors import HitlError
from hitl_services.chronicle import Chronicle
from hitl_services.metering import Meter


class Observers:
    """The meter and the chronicle of a process, as one."""

    def __init__(self, meter: Meter, chronicle: Chronicle) -> None:
        self._meter = meter
        self._chronicle = chronicle

    def committed(self, turn: Turn, commit_s: float) -> None:
        """A batch is durable."""
        self._meter.committed(turn, commit_s)
        self._chronicle.committed(turn, commit_s)

    def fault(self, run_id: RunId | None, error: Exception) -> None:
        """Processing a record raised."""
        self._chronicle.fault(run_id, error)

    def taken(self, partition: int, restore_s: float, gates: int | None) -> None:
        """A partition is served here."""
        self._meter.taken(partition, restore_s, gates)
        self._chronicle.taken(partition, restore_s, gates)

    def lost(self, partition: int, error: HitlError | None) -> None:
        """A partition is not served here any more."""
        self._meter.lost(partition, error)
        self._chronicle.lost(partition, error)

    def folded(self, events: int, took_s: float) -> None:
        """So many events are in the read model now."""
        self._meter.folded(events, took_s)

    def passed_over(self, partition: int, topic: str, offset: int | None) -> None:
        """Timers do not wait for that partition of decisions any longer."""
        self._chronicle.passed_over(partition, topic, offset)

    def held(self, partition: int, topic: str, error: HitlError | None) -> None:
        """Records of a topic wait, or go on (None)."""
        self._meter.held(partition, topic, error)
        self._chronicle.held(partition, topic, error)
