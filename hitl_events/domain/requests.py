"""What a recipe asks of the engine, as values; the driver makes them, the engine fulfils them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeAlias

from hitl_events.domain.events import RunCancelled, RunCompleted, RunFailed
from hitl_events.domain.state import GateKey, StepKey
from hitl_events.domain.values import value


@value
class StepRequest:
    """Run a step. `spec` is what the executor needs of it and the engine does not look into.

    `args` is canonical JSON of `{"args": [...], "kwargs": {...}}`, `args_digest` the first 8 bytes
    of its SHA-256.
    """

    key: StepKey
    args: bytes
    args_digest: bytes
    once: bool
    spec: Any


@value
class GateRequest:
    """Open a gate; `expires_in` counts from the time of its event."""

    key: GateKey
    draft: bytes
    draft_digest: bytes
    verdicts: tuple[str, ...]
    data_schema: bytes | None
    pause_kind: str
    expires_in: timedelta | None
    on_expiry: str | None


@value
class Withdrawal:
    """Close a gate: a branch beside it failed."""

    key: GateKey


RunEnd: TypeAlias = RunCompleted | RunFailed | RunCancelled
Request: TypeAlias = StepRequest | GateRequest | Withdrawal | RunEnd
EVENTS_PER_RUN_MAX = 10_000
"""Events and awaits of one run: a recipe that asks without end is blocked, not the engine."""


INLINE_BYTES_MAX = 256 * 1024
"""Of user data in an event, where there is a blob store for what is longer: as much as an inbound
record may bring, so what people send stays in the log."""

INLINE_BYTES_MIN = 1024
"""A lower bound for who sets that: a blob is a file and two writes to disk."""

USER_BYTES_MAX = 880 * 1024
"""An event may have 900 KiB; what is not the user's (names, digests, header) stays under 20 KiB."""

OPTIONS_BYTES_FREE = 12 * 1024
"""Of these 20 KiB, for the data schema and the verdicts of a gate; more counts as its draft."""
