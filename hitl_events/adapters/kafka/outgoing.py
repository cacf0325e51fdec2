"""A batch of the engine as records for the topics of a cluster. Pure; knows no client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import cache
from typing import Any

from hitl_events.adapters.inbound.proof import FORWARDED, forwarded_header
from hitl_events.adapters.kafka.partitioning import partition_of
from hitl_events.adapters.kafka.records import Outgoing, Place
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.domain import canonical
from hitl_events.domain.events import Event, GatePaused
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import iso, maker, value
from hitl_events.ports import Answer, Appended, DeadLetter, EffectBatch, Forward, InboundRecord

REPLY = "hitl-reply"
REPLY_BYTES_MAX = 256
"""Of the id that a caller chose; a longer one is not answered."""
TOKEN = "hitl-token"

_SPEC_VERSION = ("ce_specversion", b"1.0")
_IN_AVRO = ("content-type", b"application/avro")
_IN_JSON = ("content-type", b"application/json")

_outgoing = maker(Outgoing)


@cache
def _type(name: str) -> tuple[str, bytes]:
    return "ce_type", b"hitl.v1." + name.encode()


@value
class Places:
    """Where records go: topics, the owned partition, and how many partitions the others have."""

    topics: Topics
    partition: int
    replies: int
    dead_letters: int


class Outbox:
    """Makes the records of one owned partition."""

    def __init__(self, places: Places, keys: TokenKeys) -> None:
        self.partition = places.partition
        self._places = places
        self._keys = keys
        self._events = Place(places.topics.events, places.partition)
        self._source = ("ce_source", f"urn:hitl-events:{places.topics.prefix}".encode())

    def records(
        self, batch: EffectBatch, held: Callable[[int], InboundRecord]
    ) -> Iterator[Outgoing]:
        """All of the batch, events first and in order; `held` gives the record of a number."""
        for appended in batch.events:
            yield self._event(appended)
        for letter in batch.dead_letters:
            yield self._dead_letter(letter)
        for forward in batch.forwards:
            yield self._forward(forward)
        for number, answer in batch.settled:
            reply = reply_to(held(number))
            if reply is not None:
                yield self._reply(reply, answer)

    def _event(self, appended: Appended) -> Outgoing:
        event = appended.event
        run_id = event.run_id.encode()
        headers: list[tuple[str, bytes]] = [
            _SPEC_VERSION,
            ("ce_id", b"%b:%d" % (run_id, event.seq)),
            self._source,
            _type(type(event).__name__),
            ("ce_time", iso(event.recorded_at).encode()),
            ("ce_subject", run_id),
            _IN_AVRO,
        ]
        traceparent = _traceparent(event)
        if traceparent is not None:
            headers.append(("traceparent", traceparent.encode()))
        if isinstance(event, GatePaused):
            token = self._keys.issue(event.run_id, event.seq, appended.seed, event.token_kid)
            if token is not None:
                headers.append((TOKEN, token.encode()))
        return _outgoing(
            place=self._events, key=run_id, value=appended.value, headers=tuple(headers)
        )

    def _dead_letter(self, letter: DeadLetter) -> Outgoing:
        headers: list[tuple[str, bytes]] = [
            *letter.headers,
            ("hitl-dlq-reason", letter.reason.encode()),
            ("hitl-dlq-message", letter.message.encode("utf-8", "replace")),
        ]
        source = letter.source
        if source is not None:
            headers += [
                ("hitl-dlq-topic", source.topic.encode()),
                ("hitl-dlq-partition", b"%d" % source.partition),
                ("hitl-dlq-offset", b"%d" % source.offset),
                ("hitl-dlq-timestamp", b"%d" % source.timestamp_ms),
            ]
        return Outgoing(
            place=Place(
                self._places.topics.dead_letters, self._places.partition % self._places.dead_letters
            ),
            key=letter.key,
            value=None if letter.is_null else letter.value,
            headers=tuple(headers),
        )

    def _forward(self, forward: Forward) -> Outgoing:
        record, topics = forward.record, self._places.topics
        proof = forwarded_header(self._keys, record.source, record.value)
        return Outgoing(
            place=Place(
                topics.decisions if record.kind == "decision" else topics.commands,
                forward.partition,
            ),
            key=record.key,
            value=record.value,
            headers=(*record.headers, (FORWARDED, proof)),
        )

    def _reply(self, reply: str, answer: Answer) -> Outgoing:
        run_id = answer.run_id
        count = self._places.replies
        at = partition_of(run_id, count) if run_id is not None else self._places.partition % count
        return Outgoing(
            place=Place(self._places.topics.replies, at),
            key=None if run_id is None else run_id.encode(),
            value=canonical.dumps(_reply_json(reply, answer)),
            headers=(_IN_JSON,),
        )


def reply_to(record: InboundRecord) -> str | None:
    """The id under which the sender of a record waits for its answer."""
    raw = dict(record.headers).get(REPLY)
    if raw is None or not 0 < len(raw) <= REPLY_BYTES_MAX:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _traceparent(event: Event) -> str | None:
    found: Any = getattr(event, "traceparent", None)
    return found if isinstance(found, str) else None


def _reply_json(reply: str, answer: Answer) -> dict[str, Any]:
    if answer.reason is None:
        return {"reply": reply, "run_id": answer.run_id, "seq": answer.seq}
    winner = answer.winner
    named = winner and {field.name: getattr(winner, field.name) for field in fields(winner)}
    if named:
        named["decided_at"] = iso(named["decided_at"])
    return {
        "reply": reply,
        "run_id": answer.run_id,
        "reason": answer.reason,
        "message": answer.message,
        "winner": named,
    }
