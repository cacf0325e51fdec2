"""Feeds the metrics from what the runtime did: each turn, each partition that comes and goes.

A turn costs a few microseconds, an event two entries of a dict. Nothing here raises or waits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hitl_events.domain.events import (
    DecisionReceived,
    DecisionRejected,
    Event,
    GateClosed,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunStarted,
)
from hitl_events.domain.state import RunState
from hitl_events.engine.turn import Turn
from hitl_events.errors import CorruptLog, HitlError, OffsetOutside, ReadModelDiffers
from hitl_events.ports import DeadLetter
from hitl_services.metrics import Metrics

_RUN_STATUS: Mapping[type[Event], str] = {
    RunStarted: "running",
    RunCompleted: "ok",
    RunFailed: "error",
    RunCancelled: "error",
}
_DECIDING = frozenset({DecisionReceived, DecisionRejected, GateClosed})
_DECISION_REASONS = frozenset({"invalid_decision", "invalid_token"})
"""Reasons that only a decision can have, whatever topic it came from."""
OFFSET_UNKNOWN = -1


class Meter:
    """Counts. Belongs to the thread of the event loop."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._gates: dict[int, int] = {}
        metrics.gates_open.set(0)

    # the runtime's turns

    def committed(self, turn: Turn, commit_s: float) -> None:
        """A batch is durable."""
        metrics, batch = self._metrics, turn.batch
        if batch:
            metrics.commit.observe(commit_s)
            records = len(batch.events) + len(batch.dead_letters) + len(batch.forwards)
            metrics.batch.observe(records)
        if batch.events:
            self._events(turn)
        if turn.reports:
            self._reports(turn)
        for letter in batch.dead_letters:
            self._dead_letter(letter)
        if turn.gates:
            self._gates[turn.partition] = self._gates.get(turn.partition, 0) + turn.gates
            self._show_gates()

    def _events(self, turn: Turn) -> None:
        metrics = self._metrics
        events = [appended.event for appended in turn.batch.events]
        types = Counter(map(type, events))
        for kind, number in types.items():
            metrics.events_appended.add(number, kind.__name__)
            status = _RUN_STATUS.get(kind)
            if status is not None:
                metrics.runs.add(number, status)
        if types.keys().isdisjoint(_DECIDING):
            return
        metrics.decisions.add(types[DecisionReceived], "received")
        for event in events:
            if event.__class__ not in _DECIDING:
                continue
            if isinstance(event, DecisionRejected):
                metrics.decisions.add(1, event.reason)
            elif isinstance(event, GateClosed) or (
                isinstance(event, DecisionReceived) and event.resolution is not None
            ):
                self._closed(turn.states.get(event.run_id), event)

    def _closed(self, state: RunState | None, event: DecisionReceived | GateClosed) -> None:
        """How long a gate was open that this event closed."""
        gate = state.gates.get((event.gate, event.occurrence)) if state is not None else None
        if gate is not None:
            waited = event.recorded_at - gate.paused.recorded_at
            self._metrics.gate_wait.observe(waited.total_seconds())

    def _reports(self, turn: Turn) -> None:
        states, observe = turn.states, self._metrics.step.observe
        for report in turn.reports:
            state = states.get(report.run_id)
            if state is None:
                continue
            if report.output is not None:
                result = "completed"
            elif report.uncertain:
                result = "uncertain"
            else:
                result = "failed" if report.retry_in is None else "retrying"
            observe(report.duration_us / 1e6, state.started.recipe, report.key[1], result)

    def _dead_letter(self, letter: DeadLetter) -> None:
        self._metrics.dead_letters.add(1, letter.reason)
        topic = "" if letter.source is None else letter.source.topic
        if letter.reason in _DECISION_REASONS or topic.endswith(".decisions"):
            self._metrics.decisions.add(1, letter.reason)

    # partitions

    def taken(self, partition: int, restore_s: float, gates: int | None) -> None:
        """It is served here, with so many open gates; its turns count on from there."""
        if gates is not None:
            self._gates[partition] = gates
            self._show_gates()
        self._metrics.restore.observe(restore_s)
        self._metrics.partition_ready.set(1, str(partition))
        self._metrics.corrupt_offset.forget(str(partition))

    def lost(self, partition: int, error: HitlError | None) -> None:
        """It is not served here any more: given back, or in trouble and still assigned."""
        ready, corrupt = self._metrics.partition_ready, self._metrics.corrupt_offset
        if error is None:
            ready.forget(str(partition))
            corrupt.forget(str(partition))
        else:
            ready.set(0, str(partition))
        if isinstance(error, CorruptLog):
            corrupt.set(OFFSET_UNKNOWN if error.place is None else error.place[2], str(partition))
        elif isinstance(error, ReadModelDiffers | OffsetOutside):
            corrupt.set(error.offset, str(partition))
        self._gates.pop(partition, None)
        self._show_gates()
        for topic, number in tuple(self._metrics.records_held.held):
            if number == str(partition):
                self._metrics.records_held.forget(topic, number)

    def held(self, partition: int, topic: str, error: HitlError | None) -> None:
        """Records of a topic wait, or go on (None)."""
        if error is None:
            self._metrics.records_held.forget(topic, str(partition))
        else:
            self._metrics.records_held.set(1, topic, str(partition))

    def lagging(self, lags: Mapping[tuple[str, int], int]) -> None:
        """How many records of each inbound partition are not settled."""
        self._metrics.consumer_lag.replace(
            {(topic, str(partition)): lag for (topic, partition), lag in lags.items()}
        )

    def projecting(self, lags: Mapping[int, int]) -> None:
        """How many events of each partition are not in the read model."""
        self._metrics.projector_lag.replace(
            {(str(partition),): lag for partition, lag in lags.items()}
        )

    def folded(self, events: int, took_s: float) -> None:
        """So many events are in the read model now."""
        self._metrics.folded.add(events)
        self._metrics.folding.observe(took_s)

    def _show_gates(self) -> None:
        self._metrics.gates_open.set(sum(self._gates.values()))
