"""What may be asked of a run; each may be refused. Field names are those of the sent forms."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime, timedelta
from typing import TypeAlias

from hitl_events.domain.events import Source
from hitl_events.domain.token import Claim
from hitl_events.domain.values import EPOCH, RunId, value


@value
class Origin:
    """How a command came in; set by the engine's edge, never taken from a body."""

    channel: str
    identity: str = "claimed"
    source: Source | None = None
    traceparent: str | None = None
    arrived_at: datetime = EPOCH


@value
class StartRun:
    """Start a run; the same id with the same recipe and input is the same run.

    `input` is canonical JSON as sent, `seed` 16 bytes from the operating system.
    """

    recipe: str
    input: bytes
    run_id: RunId
    version: str | None = None
    command_id: str
    started_by: str | None = None
    seed: bytes = b""
    origin: Origin


@value
class Decide:
    """A decision that bears a token. `claim` is what the token says, set once its MAC was checked.

    `data` is canonical JSON of an object; `content_digest` covers token, verdict, notes, data,
    decided_by and draft_digest. `data_problem` says why the recipe's own type refuses the data.
    """

    token: str = field(repr=False)
    verdict: str
    notes: str | None = None
    data: bytes | None = None
    decision_id: str
    content_digest: bytes
    decided_by: str | None = None
    draft_digest: bytes | None = None
    decided_at: datetime | None = None
    key_id: str | None = None
    claim: Claim | None = None
    data_problem: str | None = None
    origin: Origin


@value
class CancelRun:
    """Cancel a run: its tokens die, what is to be undone is."""

    run_id: RunId
    reason: str
    cancelled_by: str | None = None
    command_id: str
    origin: Origin


@value
class UnblockRun:
    """Replay a blocked run against the code that is registered now; it goes on if that fits."""

    run_id: RunId
    by: str | None = None
    command_id: str
    origin: Origin


@value
class StepEnd:
    """How an attempt of a step ended: `output` (canonical JSON), or `error` and `message`.

    `retry_in` says that it is to be tried again.
    """

    attempt: int
    args_digest: bytes
    duration_us: int
    output: bytes | None = None
    error: str = ""
    message: str = ""
    retry_in: timedelta | None = None


@value
class StepReported(StepEnd):
    """The end of an attempt whose process had lost the partition meanwhile.

    `asked`: the recipe waits for the step, set by who has its code; an attempt that stands in no
    event can not be known otherwise.
    """

    run_id: RunId
    kind: str
    step: str
    occurrence: int
    asked: bool = False
    command_id: str
    origin: Origin


Command: TypeAlias = StartRun | Decide | CancelRun | UnblockRun | StepReported
