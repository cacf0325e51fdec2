"""Records as an engine would have written them, for tests that damage them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from hitl_events.adapters.avro import AvroCodec
from hitl_events.domain import canonical
from hitl_events.domain.events import (
    DecisionReceived,
    DecisionRejected,
    Event,
    GatePaused,
    RunCompleted,
    RunStarted,
    StepCompleted,
)
from hitl_events.domain.evolve import fold
from hitl_events.domain.state import TO_TAKE_UP, next_due, status
from hitl_events.domain.values import NO_DIGEST, RunId, digest
from hitl_events.ports import RunPosition

CODEC = AvroCodec()
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DRAFT = canonical.dumps({"title": "Leave policy", "days": 30})


def chained(run_id: str, events: Iterable[Event], at: datetime = NOON) -> list[bytes]:
    """The records of a run, one event a second."""
    values: list[bytes] = []
    head = NO_DIGEST
    for seq, event in enumerate(events, start=1):
        moment = at + timedelta(seconds=seq - 1)
        placed = replace(event, run_id=RunId(run_id), seq=seq, recorded_at=moment, prev_digest=head)
        values.append(CODEC.encode(placed))
        head = sha256(values[-1]).digest()
    return values


def rechained(values: Iterable[bytes], **changes: Any) -> list[bytes]:
    """The records of a run with fields changed by name and seq (`recipe_1=...`), chained anew."""
    events = list(map(CODEC.decode, values))
    for spot, held in changes.items():
        name, _, seq = spot.rpartition("_")
        events[int(seq) - 1] = replace(events[int(seq) - 1], **{name: held})
    return chained(events[0].run_id, events)


def position_of(values: Iterable[bytes]) -> RunPosition:
    """What the log keeps of a run."""
    held = list(values)
    run = fold(map(CODEC.decode, held))
    assert run is not None
    word = status(run)
    return RunPosition(
        run_id=run.started.run_id,
        seq=len(held),
        head=sha256(held[-1]).digest(),
        status=word,
        due=next_due(run),
        busy=word in TO_TAKE_UP,
    )


def started(recipe: str = "policy-update") -> RunStarted:
    """The first event of a run."""
    return RunStarted(
        recipe=recipe,
        version="1",
        input=b'{"policy":"leave"}',
        seed=bytes(range(16)),
        command_id="runtime:1",
        identity="authenticated",
        channel="runtime",
    )


def completed(step: str, output: bytes = b'"ok"') -> StepCompleted:
    """A step that went well."""
    return StepCompleted(
        step=step,
        occurrence=1,
        kind="step",
        attempt=1,
        args_digest=bytes(8),
        output=output,
        duration_us=250,
    )


def paused(expires_at: datetime | None = None, **fields: Any) -> GatePaused:
    """The gate of these runs, open."""
    return GatePaused(
        gate="legal-review",
        occurrence=1,
        pause_kind="human",
        draft=DRAFT,
        draft_digest=digest(DRAFT),
        verdicts=("approve", "deny"),
        expires_at=expires_at,
        token_kid="0a1b2c3d",
        **fields,
    )


def received(verdict: str = "approve", resolution: str | None = None) -> DecisionReceived:
    """The decision that closes it."""
    return DecisionReceived(
        gate="legal-review",
        occurrence=1,
        decision_id="d-1",
        content_digest=digest(b"d-1"),
        verdict=verdict,
        decided_by="Ada",
        identity="claimed",
        channel="cli",
        resolution=resolution or verdict,
    )


def rejected(decision_id: str = "d-2", reason: str = "token_used") -> DecisionRejected:
    """A decision that came too late."""
    return DecisionRejected(
        gate="legal-review",
        occurrence=1,
        decision_id=decision_id,
        content_digest=digest(decision_id.encode()),
        verdict="deny",
        decided_by="Bob",
        identity="claimed",
        channel="topic",
        reason=reason,
        message="the gate was closed by decision 'd-1' with 'approve'",
        winner_decision_id="d-1",
    )


def ended(run_id: str = "ended") -> list[bytes]:
    """A run that went all the way, and a late decision after its end."""
    return chained(
        run_id,
        [
            started(),
            completed("draft"),
            paused(),
            received(),
            completed("publish"),
            RunCompleted(result=b'"ok"'),
            rejected(),
        ],
    )


def waiting(run_id: str = "waiting", **fields: Any) -> list[bytes]:
    """A run that waits at its gate."""
    return chained(run_id, [started(), completed("draft"), paused(**fields)])
