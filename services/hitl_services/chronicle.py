"""Tells the log what happened to runs and partitions: who, where and why, never what it says.

The lines of a second are bounded: a busy engine appends 50,000 events in it, and a line costs 50
times an event. What is left out is counted; the metrics count all of it.
"""

from __future__ import annotations

from typing import assert_never

from hitl_events.domain.events import (
    CancelRequested,
    DecisionReceived,
    DecisionRejected,
    Event,
    GateClosed,
    GatePaused,
    RunBlocked,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunStarted,
    RunUnblocked,
    Source,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from hitl_events.domain.values import RunId
from hitl_events.engine.turn import Turn
from hitl_events.errors import CorruptLog, HitlError, OffsetOutside, ReadModelDiffers
from hitl_events.ports import Clock
from hitl_services.log_names import LogName
from hitl_services.logs import Log, Plain, where

LINES_PER_S_MAX = 100
"""About runs and records: 100 lines of 50 us take 0.5 % of a second."""


class Chronicle:
    """Writes the log of the runtime. Belongs to the thread of the event loop."""

    def __init__(self, log: Log, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._second_began_s = clock.monotonic_s()
        self._left = LINES_PER_S_MAX
        self._omitted = 0

    def committed(self, turn: Turn, commit_s: float) -> None:
        """A batch is durable: its events and dead letters, as far as the second has room."""
        batch = turn.batch
        if not (batch.events or batch.dead_letters):
            return
        self._refill()
        told = batch.dead_letters[: self._left]
        self._left -= len(told)
        self._omitted += len(batch.dead_letters) - len(told)
        for letter in told:
            self._log.tell("record.dead_letter", reason=letter.reason, **_place(letter.source))
        for at, appended in enumerate(batch.events):
            if self._left == 0:
                self._omitted += len(batch.events) - at
                break
            self._event(appended.event)

    def _event(self, event: Event) -> None:
        name, fields = _line(event)
        if self._log.says(name):
            self._left -= 1
            self._log.tell(name, run_id=event.run_id, seq=event.seq, **fields)

    def _refill(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._second_began_s < 1:
            return
        self._second_began_s, self._left = now_s, LINES_PER_S_MAX
        if self._omitted:
            self._log.tell("lines.omitted", lines=self._omitted)
            self._omitted = 0

    def fault(self, run_id: RunId | None, error: Exception) -> None:
        """Processing a record raised."""
        self._log.tell("run.fault", run_id=run_id, error=type(error).__name__, where=where(error))

    def taken(self, partition: int, restore_s: float, gates: int | None) -> None:
        """A partition is served here."""
        took_s = round(restore_s, 3)
        self._log.tell("partition.served", partition=partition, restore_s=took_s, gates=gates)

    def lost(self, partition: int, error: HitlError | None) -> None:
        """A partition is not served here any more."""
        if error is None:
            self._log.tell("partition.released", partition=partition)
        elif isinstance(error, CorruptLog):
            topic, _, offset = error.place or (None, None, None)
            place: dict[str, Plain] = {"topic": topic, "partition": partition, "offset": offset}
            self._log.tell("partition.corrupt", **place, error=str(error))
        elif isinstance(error, ReadModelDiffers | OffsetOutside):
            place = {"partition": partition, "offset": error.offset}
            self._log.tell("partition.differs", **place, error=str(error))
        else:
            self._log.tell("partition.lost", partition=partition, error=str(error))

    def passed_over(self, partition: int, topic: str, offset: int | None) -> None:
        """Timers do not wait for that partition of decisions any longer."""
        place: dict[str, Plain] = {"topic": topic, "partition": partition, "offset": offset}
        self._log.tell("decisions.stuck", **place)

    def held(self, partition: int, topic: str, error: HitlError | None) -> None:
        """Records of a topic wait, or go on."""
        if error is None:
            self._log.tell("records.resumed", topic=topic, partition=partition)
        else:
            self._log.tell("records.held", topic=topic, partition=partition, error=str(error))


def _place(source: Source | None) -> dict[str, Plain]:
    if source is None:
        return {}
    return {"topic": source.topic, "partition": source.partition, "offset": source.offset}


def _line(event: Event) -> tuple[LogName, dict[str, Plain]]:
    """The name of an event's line (that of its trace entry) and what may be told of it."""
    match event:
        case RunStarted():
            return "run.start", {"recipe": event.recipe, **_place(event.source)}
        case StepStarted():
            return "step.started", {"step": event.step, "attempt": event.attempt}
        case StepCompleted():
            return "step.completed", {"step": event.step, "attempt": event.attempt}
        case StepFailed():
            again = event.retry_at is not None
            told: dict[str, Plain] = {"step": event.step, "attempt": event.attempt}
            return "step.failed", {**told, "error": event.error, "again": again}
        case GatePaused():
            return "run.paused", {"gate": event.gate, "kind": event.pause_kind}
        case DecisionReceived():
            told = {"gate": event.gate, "verdict": event.verdict, "channel": event.channel}
            return "decision.received", {**told, **_place(event.source)}
        case DecisionRejected():
            told = {"gate": event.gate, "reason": event.reason, "channel": event.channel}
            return "decision.rejected", {**told, **_place(event.source)}
        case GateClosed():
            return "gate.closed", {"gate": event.gate, "reason": event.reason}
        case CancelRequested():
            return "run.cancelling", _place(event.source)
        case RunCompleted():
            return "run.ok", {}
        case RunFailed():
            return "run.error", {"code": event.code, "step": event.step}
        case RunCancelled():
            return "run.cancelled", {}
        case RunBlocked():
            return "run.blocked", {"code": event.code, "at_seq": event.at_seq}
        case RunUnblocked():
            return "run.unblocked", {}
        case _:
            assert_never(event)
