"""Schemas are a promise to readers in other languages and to every log there will ever be."""

import io
import json
import re
from dataclasses import MISSING, fields
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, get_type_hints

import fastavro
import pytest
from fastavro.schema import parse_schema, to_parsing_canonical_form
from fastavro.utils import generate_one

from hitl_events.adapters.avro.fingerprints import crc_64_avro, index_of, text_of
from hitl_events.adapters.avro.schemas import INDEX, Schema
from hitl_events.adapters.avro.upcasters import UPCASTERS
from hitl_events.adapters.inbound.commands import FIELDS
from hitl_events.domain.events import EVENT_TYPES, About, Source

FASTAVRO: Any = fastavro
"""Its types are partly unknown."""
ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"
RELEASED = sorted((ROOT / "tests" / "golden" / "schemas").rglob("*.avsc"))
CURRENT = sorted(SCHEMAS.glob("*.avsc"))
EVENTS = {event_type.__name__: event_type for event_type in EVENT_TYPES}
CLASSES: dict[str, type] = {**EVENTS, "Source": Source, "About": About}
SIZES = {"Digest": 32, "ArgsDigest": 8, "Seed": 16}

by_event = pytest.mark.parametrize("name", EVENTS)
by_file = pytest.mark.parametrize("path", CURRENT, ids=lambda path: path.stem)
by_release = pytest.mark.parametrize(
    "path", RELEASED, ids=lambda path: f"{path.parent.name}/{path.stem}"
)


def _load(path: Path) -> Schema:
    schema: Schema = json.loads(path.read_text(encoding="utf-8"))
    return schema


def _current(name: str) -> Schema:
    return _load(SCHEMAS / f"{name}.avsc")


def _parsed(schema: Schema) -> Any:
    """Parsed alone: no name of another file is known."""
    return parse_schema(schema, named_schemas={})


def _plain(schema: Schema) -> list[Any]:
    """Names and types of the fields, without what only people read."""
    canonical = json.loads(to_parsing_canonical_form(_parsed(schema)))
    fields_: list[Any] = canonical["fields"]
    return fields_


def _read(body: bytes, writer: Any, reader: Any) -> dict[str, Any]:
    found: dict[str, Any] = FASTAVRO.schemaless_reader(io.BytesIO(body), writer, reader)
    return found


def _nested(schema: Schema) -> list[Schema]:
    """The record and the records in it."""
    found = [schema]
    for field in schema["fields"]:
        match field["type"]:
            case ["null", {"type": "record"} as inner]:
                found += _nested(inner)
            case _:
                pass
    return found


def _python_type(kind: Any) -> Any:
    """What a field of that Avro type is in an event."""
    match kind:
        case "string":
            return str
        case "bytes":
            return bytes
        case "int" | "long":
            return int
        case {"logicalType": "timestamp-micros"}:
            return datetime
        case {"type": "array", "items": "string"}:
            return tuple[str, ...]
        case ["null", other]:
            return _python_type(other) | None
        case {"type": "record", "name": name}:
            return CLASSES[name]
        case {"type": "fixed", "name": name, "size": size}:
            assert SIZES[name] == size
            return bytes
        case _:
            assert kind.removeprefix("hitl.v1.") in SIZES
            return bytes


def test_every_event_and_command_has_a_schema_and_no_other_has() -> None:
    """A new event needs a schema in the same commit; one without an event is a leftover.

    The three others are what the topic of checkpoints holds.
    """
    checkpoints = {"EndMark", "PartitionMark", "RunCheckpoint"}
    assert {path.stem for path in CURRENT} == EVENTS.keys() | FIELDS.keys() | checkpoints


@by_event
def test_schema_and_event_have_the_same_fields_in_the_same_order(name: str) -> None:
    """The schema is the class: names, order and types."""
    hints = get_type_hints(EVENTS[name])

    written = {field["name"]: _python_type(field["type"]) for field in _current(name)["fields"]}

    assert list(written) == [field.name for field in fields(EVENTS[name])]
    assert {field: _without_new_types(hints[field]) for field in written} == written


def _is_nullable(field: Schema) -> bool:
    match field["type"]:
        case ["null", _]:
            return True
        case _:
            return False


def _without_new_types(hint: Any) -> Any:
    return getattr(hint, "__supertype__", hint)


@by_event
def test_what_may_be_null_may_be_left_out(name: str) -> None:
    """A nullable field defaults to null in the schema and to None in the class."""
    written = _current(name)["fields"]

    nullable = {field["name"] for field in written if _is_nullable(field)}

    assert nullable == {field["name"] for field in written if field.get("default", "") is None}
    assert nullable == {field.name for field in fields(EVENTS[name]) if field.default is None}


@pytest.mark.parametrize("cls", [*EVENT_TYPES, Source, About])
def test_making_a_value_does_nothing_but_set_its_fields(cls: type) -> None:
    """The codec sets the slots itself, so nothing may happen in the making."""
    assert not hasattr(cls, "__post_init__")
    assert all(field.init and field.default_factory is MISSING for field in fields(cls))


@pytest.mark.parametrize("name", FIELDS)
def test_command_schema_and_json_form_have_the_same_fields(name: str) -> None:
    """A command says the same in JSON and in Avro."""
    assert [field["name"] for field in _current(name)["fields"]] == list(FIELDS[name])


@by_file
def test_schema_stands_alone(path: Path) -> None:
    """One file is all that a reader in another language needs."""
    schema = _load(path)

    assert re.fullmatch(rf"hitl\.v[1-9]\.{path.stem}", _parsed(schema)["name"])
    assert schema["name"] == path.stem


@by_file
def test_every_field_says_what_it_means(path: Path) -> None:
    """A schema is read by people who have no other page of ours."""
    records = _nested(_load(path))

    assert all(record["doc"] for record in records)
    assert [f["name"] for record in records for f in record["fields"] if not f.get("doc")] == []


@by_file
def test_no_schema_has_an_enum(path: Path) -> None:
    """A closed list may grow: an Avro enum would make old readers fail on it."""
    assert '"enum"' not in path.read_text(encoding="utf-8")


def test_index_is_true() -> None:
    """`schemas/fingerprints.json` holds exactly what the schemas give; its module makes it anew."""
    assert (SCHEMAS / INDEX).read_text(encoding="utf-8") == text_of(index_of(SCHEMAS))


def test_fingerprint_is_that_of_the_specification() -> None:
    """The value that the Avro project publishes for the schema `"int"`, little endian."""
    published = 0x7275D51A3F395C8F

    assert crc_64_avro("int") == published.to_bytes(8, "little").hex()  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # a schema need not be a record


def test_names_in_fingerprints_are_full_names() -> None:
    """The Parsing Canonical Form spells every name with its namespace, nested ones too."""
    form = to_parsing_canonical_form(_parsed(_current("GatePaused")))

    assert form.startswith('{"name":"hitl.v1.GatePaused","type":"record","fields":[')
    assert '{"name":"hitl.v1.About","type":"record",' in form
    assert form.count('"hitl.v1.Digest"') == 2
    assert "doc" not in form
    assert "logicalType" not in form


@by_release
def test_a_released_schema_is_still_read(path: Path) -> None:
    """Records of every release find their schema by fingerprint, for ever."""
    assert crc_64_avro(_load(path)) in index_of(SCHEMAS)


def _versions(name: str) -> list[tuple[int, Schema]]:
    """The schemas of an event, oldest first, with their numbers."""
    older = sorted(
        (int(path.stem.partition(".")[2]), _load(path))
        for path in (SCHEMAS / "superseded").glob(f"{name}.*.avsc")
    )
    return [*older, (len(older) + 1, _current(name))]


@by_event
def test_a_change_that_defaults_cannot_bridge_has_an_upcaster(name: str) -> None:
    """Between two versions in different namespaces stands a function, and nowhere else."""
    versions = _versions(name)
    changed = {
        (name, number)
        for (number, one), (_, next_) in pairwise(versions)
        if one["namespace"] != next_["namespace"]
    }

    assert [number for number, _ in versions] == list(range(1, len(versions) + 1))
    assert changed == {key for key in UPCASTERS if key[0] == name}


@by_release
def test_a_released_schema_changes_only_at_its_end(path: Path) -> None:
    """What was released stays, in place and type; what is added is null where it is absent.

    Any other change is a new name in a new namespace, with an upcaster.
    """
    released = _load(path)
    if released["namespace"] != _current(released["name"])["namespace"]:
        pytest.skip("read by its upcaster")
    current = _current(released["name"])

    kept = _plain(released)
    added = current["fields"][len(kept) :]

    assert _plain(current)[: len(kept)] == kept
    assert all(_is_nullable(field) and field["default"] is None for field in added)


@by_release
def test_a_reader_of_today_takes_what_was_written_then(path: Path) -> None:
    """By Avro's own rules too, for whoever reads the topic with a library of theirs."""
    if _load(path)["namespace"] != _current(path.stem.partition(".")[0])["namespace"]:
        pytest.skip("another type to a library, read by its own schema")
    written = _parsed(_load(path))
    body = io.BytesIO()
    FASTAVRO.schemaless_writer(body, written, generate_one(written))

    then = _read(body.getvalue(), written, None)
    now = _read(body.getvalue(), written, _parsed(_current(path.stem.partition(".")[0])))

    assert {name: now[name] for name in then} == then


def test_all_that_is_current_was_released() -> None:
    """A schema that no golden copy holds could be changed without anybody noticing."""
    assert {path.stem for path in CURRENT} <= {path.stem.partition(".")[0] for path in RELEASED}
    assert index_of(SCHEMAS).keys() <= {crc_64_avro(_load(path)) for path in RELEASED}
