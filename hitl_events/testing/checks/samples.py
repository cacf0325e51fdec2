"""Runs to append: real events with their chain of digests, so that a log sees what it will see."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

from hitl_events.adapters.avro import AvroCodec
from hitl_events.domain.events import Event, RunStarted, Source, StepCompleted
from hitl_events.domain.refusals import Winner
from hitl_events.domain.values import NO_DIGEST, RunId, digest, moment
from hitl_events.ports import Answer, Appended, DeadLetter, EffectBatch, InboundRecord, RunPosition

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HUGE_BYTES = 900 * 1024 - 200
"""Output of an event of 900 KiB, the largest there is."""
_CODEC = AvroCodec()
_FIRST_US = 1_767_225_600_000_000


class Story:
    """One run as its owner writes it: events in order, each with the digest of the one before."""

    def __init__(self, run_id: str = "0192f3a4-5b6c-7d8e-9f01-23456789abcd") -> None:
        self.run_id = RunId(run_id)
        self.values: list[bytes] = []
        self.head = NO_DIGEST

    @property
    def seq(self) -> int:
        """How many events it has told."""
        return len(self.values)

    def tell(self, count: int = 1, output: bytes = b'"done"') -> list[Appended]:
        """Its next events: a start, then completed steps."""
        return [self._next(output) for _ in range(count)]

    def position(
        self, status: str = "running", due: datetime | None = None, *, busy: bool = False
    ) -> RunPosition:
        """Where it stands after what it has told."""
        return RunPosition(
            run_id=self.run_id, seq=self.seq, head=self.head, status=status, due=due, busy=busy
        )

    def batch(self, count: int = 1, output: bytes = b'"done"') -> EffectBatch:
        """Its next events as a batch of their own."""
        return EffectBatch(events=self.tell(count, output), positions=[self.position()])

    def _next(self, output: bytes) -> Appended:
        event = replace(
            _started() if self.seq == 0 else _step(output),
            run_id=self.run_id,
            seq=self.seq + 1,
            recorded_at=moment(_FIRST_US + self.seq),
            prev_digest=self.head,
        )
        value = _CODEC.encode(event)
        self.values.append(value)
        self.head = digest(value)
        return Appended(event=event, value=value)


def together(*stories: Story, count: int = 1) -> EffectBatch:
    """One batch with the next events of all, in turns: one each, then the next one each."""
    rounds = [[story.tell()[0] for story in stories] for _ in range(count)]
    events = [appended for turn in rounds for appended in turn]
    return EffectBatch(events=events, positions=[story.position() for story in stories])


def many(count: int) -> list[Story]:
    """Runs with ids as users have them: UUIDs, short and long words."""
    named = (f"run-{n}" if n % 3 else _uuid(n) for n in range(count))
    return [Story(run_id) for run_id in named]


def noise(size: int) -> bytes:
    """Bytes that no compression shortens, the same every time."""
    blocks = (hashlib.sha256(n.to_bytes(4, "big")).digest() for n in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def submission(value: bytes = b'{"token": "x"}', key: bytes | None = b"run-1") -> InboundRecord:
    """A record as a producer brings it; its source is not known yet."""
    return InboundRecord(
        kind="decision",
        key=key,
        value=value,
        headers=(("ce_id", b"7"), ("ce_id", b"\x00\xff\x80"), ("ünïcode", "ü".encode())),
        channel="cli",
        source=Source(topic="", partition=0, offset=-1, timestamp_ms=0),
    )


def refusal(message: str = "expected an open gate, found one that is closed") -> Answer:
    """An answer with everything in it."""
    winner = Winner(decision_id="d-1", verdict="approve", decided_by="ann", decided_at=NOON)
    return Answer(run_id=RunId("run-1"), seq=4, reason="token_used", message=message, winner=winner)


def letter(value: bytes = b"\x00no json", source: Source | None = None) -> DeadLetter:
    """A dead letter with everything in it, but a source unless one is given."""
    return DeadLetter(
        reason="unreadable",
        message="expected JSON, found byte 0",
        source=source,
        key=b"\xffkey",
        value=value,
        headers=(("content-type", b"application/json"),),
        recorded_at=NOON,
    )


def _uuid(number: int) -> str:
    digits = hashlib.sha256(str(number).encode()).hexdigest()[:32]
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _started() -> Event:
    return RunStarted(
        recipe="sample",
        version="1",
        input=b'{"n":1}',
        seed=bytes(range(16)),
        command_id="c-1",
        identity="claimed",
        channel="runtime",
    )


def _step(output: bytes) -> Event:
    return StepCompleted(
        step="draft",
        occurrence=1,
        kind="step",
        attempt=1,
        args_digest=bytes(8),
        output=output,
        duration_us=5,
    )
