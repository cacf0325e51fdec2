"""Records of the topic of events, by hand."""

from __future__ import annotations

from datetime import timedelta

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.domain.events import Event, GatePaused, RunStarted
from hitl_events.domain.values import EPOCH, NO_DIGEST, RunId, digest

CODEC = AvroCodec()


def paused_run(run_id: str, *, started_s: int = 0, draft: bytes = b"null") -> list[bytes]:
    """The values of a run that started so long after the epoch and paused."""
    at = EPOCH + timedelta(seconds=started_s)
    started = RunStarted(
        run_id=RunId(run_id),
        seq=1,
        recorded_at=at,
        recipe="policy",
        version="1",
        input=b"null",
        seed=bytes(16),
        command_id="c",
        identity="claimed",
        channel="topic",
    )
    first = CODEC.encode(started)
    paused: Event = GatePaused(
        run_id=RunId(run_id),
        seq=2,
        recorded_at=at,
        prev_digest=digest(first),
        gate="review",
        occurrence=1,
        pause_kind="human",
        draft=draft,
        draft_digest=digest(draft),
        verdicts=("approve",),
        token_kid="00000000",
    )
    assert started.prev_digest == NO_DIGEST
    return [first, CODEC.encode(paused)]


def stored(
    value: bytes | None, *, key: bytes | None, partition: int = 0, offset: int = 0
) -> Stored:
    """A record at a place of the topic."""
    return Stored(
        place=Place("hitl.events", partition), offset=offset, timestamp_ms=0, key=key, value=value
    )
