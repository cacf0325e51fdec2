"""Laws of the codec: what fastavro says is right, and no bytes do harm."""

import io
from dataclasses import asdict
from datetime import UTC
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings, strategies as st

from hitl_events.adapters.avro import AvroCodec, fingerprint, schema_of
from hitl_events.adapters.avro.schemas import HEAD_BYTES, MARKER
from hitl_events.domain.events import EVENT_TYPES, About, Event, Source
from hitl_events.errors import CorruptLog

FASTAVRO: Any = fastavro
"""Its types are partly unknown."""
CODEC = AvroCodec()
NESTED = {"Source": Source, "About": About}
by_type = pytest.mark.parametrize("event_type", EVENT_TYPES)

LENGTHS = st.one_of(st.integers(0, 70), st.sampled_from([1023, 1024, 8191, 8192, 70_000]))
"""Around the places where a length takes a byte more, or leaves the table."""


def _of(kind: Any, fixed: dict[str, int]) -> st.SearchStrategy[Any]:
    """Values of an Avro type, by the schema alone."""
    match kind:
        case "string":
            return st.text() | LENGTHS.map(lambda length: "ü" * length)
        case "bytes":
            return st.binary() | LENGTHS.map(lambda length: b"x" * length)
        case "int":
            return st.integers(-(2**31), 2**31 - 1)
        case "long":
            return st.integers(-(2**63), 2**63 - 1) | st.integers(-1025, 1025)
        case {"logicalType": "timestamp-micros"}:
            return st.datetimes(timezones=st.just(UTC))
        case {"type": "array", "items": items}:
            return st.lists(_of(items, fixed), max_size=70).map(tuple)
        case ["null", other]:
            return st.none() | _of(other, fixed)
        case {"type": "fixed", "name": name, "size": size}:
            fixed[f"hitl.v1.{name}"] = size
            return st.binary(min_size=size, max_size=size)
        case {"type": "record", "name": name}:
            return st.builds(NESTED[name], **_fields(kind, fixed))
        case _:
            return st.binary(min_size=fixed[kind], max_size=fixed[kind])


def _fields(schema: dict[str, Any], fixed: dict[str, int]) -> dict[str, Any]:
    return {field["name"]: _of(field["type"], fixed) for field in schema["fields"]}


EVENTS: dict[type[Event], st.SearchStrategy[Event]] = {
    event_type: st.builds(event_type, **_fields(schema_of(event_type), {}))
    for event_type in EVENT_TYPES
}
"""Any event of a class that its schema has room for."""
ORACLES = {
    event_type: FASTAVRO.parse_schema(schema_of(event_type), named_schemas={})
    for event_type in EVENT_TYPES
}


def _as_fastavro(event: Event) -> bytes:
    body = io.BytesIO()
    FASTAVRO.schemaless_writer(body, ORACLES[type(event)], asdict(event))
    return MARKER + fingerprint(type(event).__name__) + body.getvalue()


def _read_by_fastavro(event_type: type[Event], value: bytes) -> Any:
    body = io.BytesIO(value[HEAD_BYTES:])
    found = FASTAVRO.schemaless_reader(body, ORACLES[event_type], None)
    assert body.read() == b""
    return found


def _like_fastavro(event: Event) -> Any:
    """The event as a dict in which lists are lists, as fastavro gives it."""
    found: dict[str, Any] = asdict(event)
    return found | ({"verdicts": list(found["verdicts"])} if "verdicts" in found else {})


def _unless_corrupt(value: bytes) -> Event | None:
    try:
        return CODEC.decode(value)
    except CorruptLog:
        return None


@by_type
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_is_written_is_what_fastavro_writes(
    event_type: type[Event], data: st.DataObject
) -> None:
    """The compiled writer gives the bytes of an independent implementation."""
    event = data.draw(EVENTS[event_type])

    assert CODEC.encode(event) == _as_fastavro(event)


@by_type
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_the_same(event_type: type[Event], data: st.DataObject) -> None:
    """An event comes back as it was, from our reader and from an independent one."""
    event = data.draw(EVENTS[event_type])

    value = CODEC.encode(event)

    assert CODEC.decode(value) == event
    assert _read_by_fastavro(event_type, value) == _like_fastavro(event)


@by_type
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_damage_is_found_or_harmless(event_type: type[Event], data: st.DataObject) -> None:
    """Bytes with a piece replaced are refused, or are another event's one and only spelling."""
    value = CODEC.encode(data.draw(EVENTS[event_type]))
    start = data.draw(st.integers(0, len(value)))
    end = data.draw(st.integers(start, min(len(value), start + 12)))
    piece = data.draw(st.binary(max_size=12) | st.just(b"\xff" * 11) | st.just(b"\x80\x00"))

    damaged = value[:start] + piece + value[end:]

    found = _unless_corrupt(damaged)
    assert found is None or CODEC.encode(found) == damaged


@by_type
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_what_is_cut_or_too_long_is_refused(event_type: type[Event], data: st.DataObject) -> None:
    """No part of a record is an event, and neither is one with bytes left over."""
    value = CODEC.encode(data.draw(EVENTS[event_type]))
    cut = value[: data.draw(st.integers(0, len(value) - 1))]

    assert _unless_corrupt(cut) is None
    assert _unless_corrupt(value + data.draw(st.binary(min_size=1, max_size=3))) is None


@settings(max_examples=300, deadline=None)
@given(head=st.sampled_from(EVENT_TYPES), body=st.binary(max_size=400))
def test_noise_is_refused_or_harmless(head: type[Event], body: bytes) -> None:
    """Whatever follows a known head, the decoder raises nothing but `CorruptLog`."""
    value = MARKER + fingerprint(head.__name__) + body

    found = _unless_corrupt(value)

    assert found is None or CODEC.encode(found) == value
