import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from hitl_events.adapters.avro.foreign import ForeignSchema, foreign_schema
from hitl_events.adapters.avro.schemas import folder
from hitl_events.adapters.inbound import Refused, read_inbound
from hitl_events.adapters.inbound.proof import (
    FORWARDED,
    PRODUCER,
    forwarded_header,
    origin_of,
    producer_header,
    proven_channel,
)
from hitl_events.domain.events import Source
from hitl_events.domain.refusals import REASONS
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import EPOCH, RUN_ID
from hitl_events.ports import Headers, InboundKind, InboundRecord
from hitl_events.testing.poison import Target, poisons
from hitl_events.testing.poison.sound import avro, text

KEYS = TokenKeys([b"a token key of at least 32 bytes, for tests"])
TOKEN = KEYS.issue("target", 3, bytes(16), KEYS.kid) or ""
TARGET = Target(token=TOKEN, run_id="target", recipe="gated", keys=KEYS)
SOURCE = Source(topic="t", partition=0, offset=1, timestamp_ms=2)
KINDS: tuple[InboundKind, ...] = ("decision", "command")
EARLY = ("unreadable", "unknown_schema", "too_large", "invalid_decision", "invalid_command")
STRUCTURED = b"application/cloudevents+json"
EVENT = {"specversion": "1.0", "id": "1", "source": "urn:x", "type": "hitl.v1.Decide"}
SCHEMA = foreign_schema((folder() / "Decide.avsc").read_text())
FRAME = b"\x00\x00\x00\x00\x01" + avro(TARGET, "decision")[10:]
"""In the Confluent frame, with our own schema registered as 1."""
GOOD = [
    *(form(TARGET, kind) for form in (text, avro) for kind in KINDS),
    json.dumps(EVENT | {"data": json.loads(text(TARGET, "decision"))}).encode(),
    FRAME,
]
SEEDS = GOOD + [one.value for one in poisons(TARGET) if len(one.value) < 300]

names = st.sampled_from(
    ["content-type", "ce_type", "ce_id", "ce_source", "ce_specversion", "traceparent"]
) | st.text(max_size=8)
values = st.sampled_from(
    [b"", STRUCTURED, b"application/json", b"application/avro", b"1.0", b"hitl.v1.Decide"]
) | st.binary(max_size=20)
headers = st.lists(st.tuples(names, values), max_size=4).map(tuple)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A known record with a few bytes cut out, put in or exchanged, or two of them spliced."""
    value = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(value)))
        end = min(len(value), start + draw(st.integers(0, 4)))
        value = value[:start] + draw(st.binary(max_size=4)) + value[end:]
    other = draw(st.sampled_from([b"", *SEEDS]))
    return value if not other else value[: draw(st.integers(0, len(value)))] + other


def _find(schema_id: int) -> ForeignSchema | str | None:
    return SCHEMA if schema_id == 1 else "expected a schema, found none"


def _read(value: bytes, kind: InboundKind, said: Headers) -> Any:
    record = InboundRecord(kind=kind, value=value, headers=said, channel="c", source=SOURCE)
    return read_inbound(record, arrived_at=EPOCH, schemas=_find)


@pytest.mark.parametrize("value", GOOD)
def test_the_good_records_are_good(value: bytes) -> None:
    """What is mutated below would be taken as it is."""
    structured = b"specversion" in value
    said = (("content-type", STRUCTURED),) if structured else ()

    assert [kind for kind in KINDS if not isinstance(_read(value, kind, said), Refused)]


@settings(max_examples=1_000, deadline=None)
@given(value=st.binary(max_size=200) | mutated(), kind=st.sampled_from(KINDS), said=headers)
def test_any_record_is_a_command_or_refused_for_a_reason(
    value: bytes, kind: InboundKind, said: Headers
) -> None:
    """Nothing raises; a refusal has an early reason of the closed list and shows no token."""
    found = _read(value, kind, said)

    if isinstance(found, Refused):
        assert found.reason in EARLY
        assert found.reason in REASONS
        assert TOKEN not in found.message
        assert len(found.message) < 1_000
        return
    assert found.origin.source == SOURCE
    assert found.origin.channel == "c"
    assert kind == "decision" or RUN_ID.fullmatch(found.run_id)
    assert found == _read(value, kind, said)


@settings(max_examples=300, deadline=None)
@given(value=st.binary(max_size=50), said=headers, noise=st.binary(max_size=90), at=st.integers(0))
def test_a_proof_holds_for_what_was_proven_only(
    value: bytes, said: Headers, noise: bytes, at: int
) -> None:
    """Any other bytes in its place prove nothing and raise nothing."""
    made = {
        PRODUCER: producer_header(KEYS, "cli", value),
        FORWARDED: forwarded_header(KEYS, SOURCE, value),
    }
    changed = {name: raw[: at % len(raw)] + noise for name, raw in made.items()}
    good, bad = (tuple(pairs.items()) for pairs in (made, changed))

    assert proven_channel(KEYS, (*said, *good), value) == "cli"
    assert origin_of(KEYS, (*said, *good), value) == SOURCE
    if changed[PRODUCER] != made[PRODUCER]:
        assert proven_channel(KEYS, (*good, *bad), value) is None
    if changed[FORWARDED] != made[FORWARDED]:
        assert origin_of(KEYS, (*good, *bad), value) is None
