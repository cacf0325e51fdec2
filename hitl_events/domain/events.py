"""The facts of a run, one class each, fields in the order of `schemas/*.avsc`.

`process` and the engine make them without an envelope; `ActiveRun.record` gives them run, seq,
time and the digest of the predecessor. A released event never changes its meaning: it gets a new
version.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from hitl_events.domain.values import EPOCH, NO_DIGEST, RunId, value


@value
class Source:
    """Where an inbound record stood: its original topic position and the broker's append time."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


@value
class About:
    """The step that a reconcile gate asks about."""

    step: str
    occurrence: int


@value
class Envelope:
    """What every event carries; the values of the unrecorded are the defaults."""

    run_id: RunId = RunId("")
    seq: int = 0
    recorded_at: datetime = EPOCH
    prev_digest: bytes = NO_DIGEST


@value
class RunStarted(Envelope):
    """A run began with this input; `seed` is behind its randomness and its tokens."""

    recipe: str
    version: str
    input: bytes
    seed: bytes
    command_id: str
    started_by: str | None = None
    identity: str
    channel: str
    source: Source | None = None
    traceparent: str | None = None


@value
class StepStarted(Envelope):
    """The durable intent of a `once` step."""

    step: str
    occurrence: int
    kind: str
    attempt: int
    args_digest: bytes


@value
class StepCompleted(Envelope):
    """A step gave its output: it never runs again."""

    step: str
    occurrence: int
    kind: str
    attempt: int
    args_digest: bytes
    output: bytes
    duration_us: int


@value
class StepFailed(Envelope):
    """A failed attempt; final where `retry_at` is None."""

    step: str
    occurrence: int
    kind: str
    attempt: int
    args_digest: bytes
    error: str
    message: str
    retry_at: datetime | None = None


@value
class GatePaused(Envelope):
    """A gate opened: what it shows, what may be decided, until when."""

    gate: str
    occurrence: int
    pause_kind: str
    draft: bytes
    draft_digest: bytes
    verdicts: tuple[str, ...]
    data_schema: bytes | None = None
    policy: bytes | None = None
    expires_at: datetime | None = None
    on_expiry: str | None = None
    about: About | None = None
    token_kid: str


@value
class DecisionReceived(Envelope):
    """A decision that counted; it closes its gate where `resolution` is given."""

    gate: str
    occurrence: int
    decision_id: str
    content_digest: bytes
    verdict: str
    notes: str | None = None
    data: bytes | None = None
    decided_by: str | None = None
    identity: str
    key_id: str | None = None
    decided_at: datetime | None = None
    draft_digest: bytes | None = None
    channel: str
    source: Source | None = None
    traceparent: str | None = None
    resolution: str | None = None


@value
class DecisionRejected(Envelope):
    """A decision that was refused, and why; `winner_decision_id` closed the gate before it."""

    gate: str | None = None
    occurrence: int | None = None
    decision_id: str
    content_digest: bytes
    verdict: str
    notes: str | None = None
    data: bytes | None = None
    decided_by: str | None = None
    identity: str
    key_id: str | None = None
    decided_at: datetime | None = None
    draft_digest: bytes | None = None
    channel: str
    source: Source | None = None
    traceparent: str | None = None
    reason: str
    message: str
    winner_decision_id: str | None = None


@value
class GateClosed(Envelope):
    """A gate that closed without a decision: `expired`, `superseded` or `withdrawn`."""

    gate: str
    occurrence: int
    reason: str


@value
class CancelRequested(Envelope):
    """Somebody cancels the run: its tokens die here, undo steps follow."""

    reason: str
    cancelled_by: str | None = None
    identity: str
    command_id: str
    channel: str
    source: Source | None = None


@value
class RunCompleted(Envelope):
    """The recipe returned."""

    result: bytes


@value
class RunFailed(Envelope):
    """The recipe raised, or a step of it failed for good."""

    code: str
    message: str
    step: str | None = None
    occurrence: int | None = None


@value
class RunCancelled(Envelope):
    """The cancellation is done, what had to be taken back is."""

    reason: str


@value
class RunBlocked(Envelope):
    """The code can not drive the run on; it waits for mended code."""

    code: str
    message: str
    expected: str | None = None
    found: str | None = None
    at_seq: int | None = None
    code_fingerprint: str


@value
class RunUnblocked(Envelope):
    """The code fits the history again."""

    by: str | None = None
    channel: str
    code_fingerprint: str


Event: TypeAlias = (
    RunStarted
    | StepStarted
    | StepCompleted
    | StepFailed
    | GatePaused
    | DecisionReceived
    | DecisionRejected
    | GateClosed
    | CancelRequested
    | RunCompleted
    | RunFailed
    | RunCancelled
    | RunBlocked
    | RunUnblocked
)

EVENT_TYPES: tuple[type[Event], ...] = (
    RunStarted,
    StepStarted,
    StepCompleted,
    StepFailed,
    GatePaused,
    DecisionReceived,
    DecisionRejected,
    GateClosed,
    CancelRequested,
    RunCompleted,
    RunFailed,
    RunCancelled,
    RunBlocked,
    RunUnblocked,
)
