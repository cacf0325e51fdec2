"""The checker's own picture of a run, drawn from its durable events alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from hitl_events.domain.events import (
    DecisionReceived,
    DecisionRejected,
    GatePaused,
    RunStarted,
)
from hitl_events.domain.values import EPOCH, NO_DIGEST
from hitl_events.errors import HitlError

StepKey: TypeAlias = tuple[str, str, int]


class Violation(HitlError):
    """A promise was broken: `promise` is its number, the message what was expected."""

    def __init__(self, promise: str, expected: str) -> None:
        self.promise = promise
        super().__init__(f"{promise}: expected {expected}")


def demand(promise: str, holds: object, expected: str, *about: object) -> None:
    """`Violation` unless it holds. `about` is put into words only then."""
    if not holds:
        told = ", ".join(str(each) for each in about)
        raise Violation(promise, f"{expected}: {told}" if about else expected)


@dataclass(slots=True)
class Pause:
    """A gate: open, closed by a decision, or dead.

    `dead` is `expired`, `withdrawn`, `superseded` or `ended`.
    """

    event: GatePaused
    closed_by: DecisionReceived | None = None
    dead: str = ""

    @property
    def about(self) -> StepKey | None:
        """The step that a reconcile gate asks about."""
        about = self.event.about
        return None if about is None else ("step", about.step, about.occurrence)


@dataclass(slots=True)
class StepBook:
    """A step: `over` is how it ended, `cleared` that a `once` step may be begun again."""

    attempt: int = 0
    started: bool = False
    cleared: bool = False
    over: str = ""
    completed_seq: int = 0
    told: bytes | None = None

    def waits_for(self, attempt: int) -> bool:
        """Whether the end of that attempt may still be recorded."""
        if self.over or attempt < self.attempt:
            return False
        return attempt > self.attempt or (self.started and not self.cleared)


@dataclass(slots=True)
class Ledger:
    """One run. `facts` are the outputs and decision ids that are durable."""

    run_id: str
    values: list[bytes] = field(default_factory=list[bytes])
    head: bytes = NO_DIGEST
    recorded_at: datetime = EPOCH
    started: RunStarted | None = None
    pauses: dict[int, Pause] = field(default_factory=dict[int, Pause])
    steps: dict[StepKey, StepBook] = field(default_factory=dict[StepKey, StepBook])
    bound: dict[str, DecisionReceived | DecisionRejected] = field(
        default_factory=dict[str, DecisionReceived | DecisionRejected]
    )
    conflicts: dict[tuple[str, bytes], DecisionRejected] = field(
        default_factory=dict[tuple[str, bytes], DecisionRejected]
    )
    facts: set[str] = field(default_factory=set[str])
    cancelling: bool = False
    blocked: bool = False
    rejected: int = 0
    ended: str = ""

    @property
    def stands_still(self) -> bool:
        """Whatever its steps do, the recipe goes nowhere."""
        return self.blocked or bool(self.ended)

    def step(self, key: StepKey) -> StepBook:
        """What is known of a step."""
        return self.steps.setdefault(key, StepBook())

    def pause(self, gate: str, occurrence: int) -> Pause:
        """The pause of that name and occurrence."""
        for pause in self.pauses.values():
            if (pause.event.gate, pause.event.occurrence) == (gate, occurrence):
                return pause
        raise Violation("P3", f"a GatePaused of {gate} ({occurrence}) in {self.run_id}")

    def open_pauses(self) -> list[Pause]:
        """The gates that wait."""
        return [each for each in self.pauses.values() if not each.dead and each.closed_by is None]

    def first(self, decision_id: str, content: bytes) -> DecisionReceived | DecisionRejected | None:
        """The event that has already answered this very decision."""
        bound = self.bound.get(decision_id)
        if bound is not None and bound.content_digest == content:
            return bound
        return self.conflicts.get((decision_id, content))

    def reject(self, event: DecisionRejected) -> None:
        """A refused decision; its id is bound, unless another content bound it before."""
        self.rejected += 1
        if self.bound.setdefault(event.decision_id, event) is not event:
            self.conflicts[event.decision_id, event.content_digest] = event

    def receive(self, pause: Pause, event: DecisionReceived) -> None:
        """A decision that closes its gate; one about a step says what becomes of that."""
        pause.closed_by = event
        self.bound[event.decision_id] = event
        self.facts.add(event.decision_id)
        if pause.about is None:
            return
        step = self.step(pause.about)
        if event.verdict == "did_not_happen":
            step.cleared = True
        elif event.verdict == "happened":
            said = event.data or b'{"output":null}'
            step.told = said.removeprefix(b'{"output":').removesuffix(b"}")
            if said == b"{}":
                step.told = b"null"

    def cancel(self) -> None:
        """All tokens die."""
        self.cancelling = True
        self._close_all()

    def end(self, how: str) -> None:
        """The last event that the recipe caused."""
        self.ended = how
        self._close_all()

    def _close_all(self) -> None:
        for pause in self.open_pauses():
            pause.dead = "ended"
