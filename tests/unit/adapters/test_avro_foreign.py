import io
import json
from typing import Any

import fastavro
import pytest
from fastavro.utils import generate_one
from hypothesis import given, settings, strategies as st

from hitl_events.adapters.avro.foreign import foreign_schema
from hitl_events.adapters.avro.reader import UNREADABLE
from hitl_events.adapters.avro.schemas import folder
from hitl_events.errors import InvalidInput

FASTAVRO: Any = fastavro
"""Its types are partly unknown."""
EVERYTHING: dict[str, Any] = {
    "type": "record",
    "name": "Everything",
    "namespace": "com.example",
    "fields": [
        {"name": "b", "type": "boolean"},
        {"name": "i", "type": "int"},
        {"name": "l", "type": {"type": "long"}},
        {"name": "f", "type": "float"},
        {"name": "d", "type": "double"},
        {"name": "by", "type": "bytes"},
        {"name": "s", "type": {"type": "string", "avro.java.string": "String"}},
        {"name": "n", "type": "null"},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["X", "Y"]}},
        {"name": "x", "type": {"type": "fixed", "name": "other.F", "size": 3}},
        {"name": "e2", "type": "E"},
        {"name": "x2", "type": ["null", "other.F"]},
        {"name": "a", "type": {"type": "array", "items": ["null", "string"]}},
        {"name": "m", "type": {"type": "map", "values": {"type": "array", "items": "long"}}},
        {"name": "u", "type": ["null", "long", {"type": "map", "values": "double"}]},
        {"name": "t", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {
            "name": "r",
            "type": {"type": "record", "name": "In", "fields": [{"name": "q", "type": "E"}]},
        },
    ],
}
PARSED: Any = FASTAVRO.parse_schema(EVERYTHING, named_schemas={})
FOREIGN = foreign_schema(json.dumps(EVERYTHING))


def _record(*types: Any) -> str:
    fields = [{"name": f"f{n}", "type": kind} for n, kind in enumerate(types)]
    return json.dumps({"type": "record", "name": "R", "fields": fields})


def _written(value: dict[str, Any]) -> bytes:
    body = io.BytesIO()
    FASTAVRO.schemaless_writer(body, PARSED, value)
    return body.getvalue()


@pytest.mark.parametrize("_", range(20))
def test_it_reads_what_fastavro_writes(_: int) -> None:
    """An independent writer and reader agree with it about every type."""
    body = _written(generate_one(PARSED))

    found, end = FOREIGN.read(b"head" + body, 4)

    assert end == len(body) + 4
    assert found == FASTAVRO.schemaless_reader(io.BytesIO(body), PARSED, None)
    assert FOREIGN.name == "com.example.Everything"


@pytest.mark.parametrize("name", ["Decide", "StartRun", "DecisionRejected"])
def test_our_own_schemas_are_no_exception(name: str) -> None:
    """A team that registered our files gets the same as one that did not."""
    text = (folder() / f"{name}.avsc").read_text()

    assert foreign_schema(text).name == f"hitl.v1.{name}"


def test_a_list_may_come_in_blocks() -> None:
    """With a count below zero the size of the block in bytes follows."""
    schema = foreign_schema(_record({"type": "array", "items": "string"}))

    assert schema.read(b"\x02\x02a\x01\x04\x02b\x00", 0) == ({"f0": ["a", "b"]}, 8)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ({"type": "enum", "name": "E", "symbols": ["X", "Y"]}, b"\x01"),
        ({"type": "enum", "name": "E", "symbols": ["X", "Y"]}, b"\x04"),
        (["null", "string"], b"\x01\x02a"),
        (["null", "string"], b"\x04\x02a"),
        ("string", b"\x01abc"),
        ("string", b"\x08abc"),
        ("string", b"\x02\xff"),
        ("bytes", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        ("long", b"\xff" * 20),
        ("long", b"\x80\x00"),
        ("int", b"\xff\xff\xff\xff\xff\x01"),
        ("boolean", b"\x02"),
        ("double", b"1234567"),
        ({"type": "array", "items": "string"}, b"\xfe\xff\xff\xff\x0f"),
        ({"type": "map", "values": "int"}, b"\x04\x02a\x02\x02a\x02\x00"),
        ({"type": "long", "logicalType": "timestamp-micros"}, b"\xfe" + b"\xff" * 8 + b"\x01"),
    ],
)
def test_bytes_that_are_no_record_are_said_to_be_none(kind: Any, body: bytes) -> None:
    """One spelling, no index from the end, no length beyond it."""
    with pytest.raises(UNREADABLE):
        foreign_schema(_record(kind)).read(body, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        '"string"',
        "[" * 100_000,
        '{"type": "record"}',
        '{"type": "record", "name": "R"}',
        _record(),
        _record("Nope"),
        _record(["null", "R"]),
        _record({"type": "array", "items": "null"}),
        _record({"type": "array"}),
        _record({"type": "fixed", "name": "F", "size": 0}, "int"),
        _record({"type": "fixed", "name": "R", "size": 1}),
        _record([]),
        _record(7),
        _record(*["int"] * 2_000),
        _record(json.loads('{"type": "array", "items": ' * 40 + '"int"' + "}" * 40)),
    ],
)
def test_a_schema_that_is_none_or_too_much_is_refused_as_a_whole(text: str) -> None:
    """Recursion and lists of nothing make much of few bytes."""
    with pytest.raises(InvalidInput, match="expected"):
        foreign_schema(text)


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=80), seed=st.binary(max_size=8))
def test_no_bytes_harm_the_reader(body: bytes, seed: bytes) -> None:
    """Whatever stands in a record, it is read or one of the known errors says why not."""
    good = _written(generate_one(PARSED))
    for value in (body, good[: len(good) // 2] + body, body + good, seed + good[8:]):
        try:
            _, end = FOREIGN.read(value, 0)
        except UNREADABLE:
            continue
        assert end <= len(value)
