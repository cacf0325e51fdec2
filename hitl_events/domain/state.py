"""What is true of a run after some of its events; changed by `evolve` and by nothing else."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from hitl_events.domain.events import (
    DecisionReceived,
    DecisionRejected,
    GatePaused,
    RunBlocked,
    RunFailed,
    RunStarted,
)
from hitl_events.domain.refusals import Winner
from hitl_events.domain.values import digest

StepKey: TypeAlias = tuple[str, str, int]
"""(kind, name, occurrence): kind is `step` or `undo`."""
GateKey: TypeAlias = tuple[str, int]
Phase: TypeAlias = Literal["active", "cancelling", "completed", "failed", "cancelled"]
Status: TypeAlias = Literal["running", "paused", "blocked", "completed", "failed", "cancelled"]

_UNFINISHED = frozenset({"started", "retrying"})
"""Statuses of a step that has begun durably (or will try again) and has no result."""
_CLOSED_STATUS = {"approve": "approved", "deny": "denied"}
ARRIVALS_KNOWN_TO = timedelta(milliseconds=1)
"""A gate expires that much after its end: a decision that arrives later then bears a later time."""


@dataclass(slots=True, kw_only=True)
class StepState:
    """The latest of a step: `started` (once), `retrying`, `completed`, `failed`."""

    status: str
    seq: int
    attempt: int
    output: bytes = b""
    error: str = ""
    message: str = ""
    retry_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class GateState:
    """A pause and what became of it; `decision` is the one that closed it."""

    paused: GatePaused
    status: str = "pending"
    decision: DecisionReceived | None = None

    @property
    def winner(self) -> Winner | None:
        """The decision that closed the gate, as late ones are told."""
        return None if self.decision is None else winner_of(self.decision)


@dataclass(slots=True, kw_only=True)
class RunState:
    """One run. Mutable, and owned by whoever folds: `evolve` returns the same object.

    `decisions` are those that bound their ids, `conflicts` (by id and content) those that came with
    another content after them: at most as many as a run keeps refusals.
    """

    started: RunStarted
    start_digest: bytes = b""
    phase: Phase = "active"
    seq: int = 1
    recorded_at: datetime
    # plain `dict`: calling `dict[K, V]` takes 0.5 us, four times for each run that is folded
    steps: dict[StepKey, StepState] = field(default_factory=dict)
    gates: dict[GateKey, GateState] = field(default_factory=dict)
    decisions: dict[str, DecisionReceived | DecisionRejected] = field(default_factory=dict)
    conflicts: dict[tuple[str, bytes], DecisionRejected] = field(default_factory=dict)
    pending: dict[int, GateState] = field(default_factory=dict)
    rejected: int = 0
    blocked: RunBlocked | None = None
    failed: RunFailed | None = None
    reason: str = ""
    result: bytes | None = None

    @property
    def ended(self) -> bool:
        """True once the last event that a recipe can cause is there."""
        return self.phase in {"completed", "failed", "cancelled"}

    def remember(self, made: DecisionReceived | DecisionRejected) -> None:
        """Bind the id of a decision; one that comes after it with other content is a conflict."""
        first = self.decisions.setdefault(made.decision_id, made)
        if first is not made and isinstance(made, DecisionRejected):
            self.conflicts.setdefault((made.decision_id, made.content_digest), made)

    def gate_at(self, seq: int) -> GateState | None:
        """The pause that event `seq` opened."""
        gate = self.pending.get(seq)
        if gate is not None:
            return gate
        return next((gate for gate in self.gates.values() if gate.paused.seq == seq), None)


def same_start(run: RunState, recipe: str, input_: bytes) -> bool:
    """True if the run was started with this recipe and input."""
    kept = run.start_digest or digest(run.started.input)
    return run.started.recipe == recipe and kept == digest(input_)


def winner_of(made: DecisionReceived) -> Winner:
    """A decision as it is named to those that came too late."""
    return Winner(
        decision_id=made.decision_id,
        verdict=made.verdict,
        decided_by=made.decided_by,
        decided_at=made.recorded_at,
    )


def gate_status(verdict: str) -> str:
    """The status of a gate that closed with a verdict."""
    return _CLOSED_STATUS.get(verdict, "decided")


def uncertain_gate(run: RunState, key: StepKey) -> GateState | None:
    """The open reconcile gate about a step."""
    for gate in run.pending.values():
        about = gate.paused.about
        if about is not None and (about.step, about.occurrence) == (key[1], key[2]):
            return gate
    return None


def under_way(run: RunState, key: StepKey, attempt: int) -> bool:
    """Whether that attempt of a step may be at work somewhere, as far as the events say."""
    held = run.steps.get(key)
    if run.ended:
        return False
    if held is None:
        return attempt == 1
    before = {"started": 0, "retrying": 1}.get(held.status)
    return before is not None and attempt == held.attempt + before


def status(run: RunState) -> Status:
    """The one word for a run, from its events alone."""
    match run.phase:
        case "completed" | "failed" | "cancelled" as ended:
            return ended
        case _:
            pass
    if run.blocked is not None:
        return "blocked"
    if run.phase == "cancelling" or not run.pending:
        return "running"
    for key, step in run.steps.items():
        if step.status in _UNFINISHED and uncertain_gate(run, key) is None:
            return "running"
    return "paused"


TO_TAKE_UP: frozenset[Status] = frozenset({"running", "blocked"})
"""Of runs like these the log says that they are busy: whoever owns them next takes them up."""


def next_due(run: RunState, running: Container[StepKey] = ()) -> datetime | None:
    """When the earliest timer of the run fires: a gate's end (a millisecond after it) or a retry.

    `running` are the steps whose next attempt is under way: their pause is over.
    """
    if run.ended:
        return None
    earliest: datetime | None = None
    for gate in run.pending.values():
        if gate.paused.expires_at is not None:
            end = gate.paused.expires_at + ARRIVALS_KNOWN_TO
            earliest = end if earliest is None else min(earliest, end)
    for key, step in run.steps.items():
        at = step.retry_at
        if at is None or run.blocked is not None or key in running:
            continue
        if run.phase == "active" or key[0] == "undo":  # it is unfinished, as it has a time
            earliest = at if earliest is None else min(earliest, at)
    return earliest


def end_mark(run: RunState) -> RunState:
    """What is kept of an ended run: what answers the late and the repeated, none of its data."""
    return RunState(
        started=replace(run.started, input=b""),
        start_digest=run.start_digest or digest(run.started.input),
        phase=run.phase,
        seq=run.seq,
        recorded_at=run.recorded_at,
        gates={key: _gate_mark(gate) for key, gate in run.gates.items()},
        decisions=run.decisions,
        conflicts=run.conflicts,
        rejected=run.rejected,
        reason=run.reason,
    )


def _gate_mark(gate: GateState) -> GateState:
    return GateState(
        paused=replace(gate.paused, draft=b""), status=gate.status, decision=gate.decision
    )
