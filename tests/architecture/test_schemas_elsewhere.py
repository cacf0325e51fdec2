"""Readers that know nothing of ours: what they need stands in the folder of the schemas."""

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import avro.compatibility
import avro.io
import avro.schema
import fastavro
import pytest

from hitl_events.adapters.avro.reference import reference
from hitl_events.adapters.inbound import Refused, read_inbound
from hitl_events.domain.commands import Decide
from hitl_events.domain.events import Source
from hitl_events.domain.values import EPOCH, iso
from hitl_events.ports import InboundRecord

FASTAVRO: Any = fastavro
AVRO_IO: Any = avro.io
AVRO_SCHEMA: Any = avro.schema
AVRO_COMPATIBILITY: Any = avro.compatibility
"""Their types are partly unknown."""
ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"
INDEX: dict[str, str] = json.loads((SCHEMAS / "fingerprints.json").read_text(encoding="utf-8"))
RELEASED = sorted((ROOT / "tests" / "golden" / "schemas").rglob("*.avsc"))
GOLDEN = [
    pytest.param(path.stem.partition(".")[0], each, id=f"{path.stem}-{number}")
    for path in sorted((ROOT / "tests" / "golden" / "records").glob("*.json"))
    for number, each in enumerate(json.loads(path.read_text(encoding="utf-8")))
]
JAVA = {
    "GatePaused.avsc": "c4144b1b105fe250",
    "Decide.avsc": "9408f56415d68ebd",
    "RunStarted.avsc": "b1b3248a58fb84ea",
    "StepCompleted.avsc": "126da02c68bad272",
}
"""What Avro's own Java library, 1.12.0, gives (`SchemaNormalization.parsingFingerprint`)."""

by_golden = pytest.mark.parametrize(("name", "golden"), GOLDEN)
by_release = pytest.mark.parametrize(
    "path", RELEASED, ids=lambda path: f"{path.parent.name}/{path.stem}"
)


def _schema_text(record: bytes) -> str:
    """The steps of `schemas/README.md`."""
    assert record[:2] == b"\xc3\x01"
    return (SCHEMAS / INDEX[record[2:10].hex()]).read_text(encoding="utf-8")


def _with_avro(record: bytes) -> dict[str, Any]:
    schema = AVRO_SCHEMA.parse(_schema_text(record))
    body = io.BytesIO(record[10:])
    found: dict[str, Any] = AVRO_IO.DatumReader(schema).read(AVRO_IO.BinaryDecoder(body))
    assert body.read() == b""
    return found


def _with_fastavro(record: bytes) -> dict[str, Any]:
    schema = json.loads(_schema_text(record))
    body = io.BytesIO(record[10:])
    found: dict[str, Any] = FASTAVRO.schemaless_reader(body, schema, None)
    assert body.read() == b""
    return found


def _plain(value: Any) -> Any:
    """As the golden files spell it."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, dict):
        return {name: _plain(held) for name, held in value.items()}  # pyright: ignore[reportUnknownVariableType]  # the fields of a record
    return value


@by_golden
@pytest.mark.parametrize("read", [_with_avro, _with_fastavro], ids=["avro", "fastavro"])
def test_other_libraries_read_our_events(name: str, golden: dict[str, Any], read: Any) -> None:
    """With nothing but the folder, and to the last byte."""
    record = bytes.fromhex(golden["value"])

    found = _plain(read(record))

    assert INDEX[record[2:10].hex()].rpartition("/")[2].partition(".")[0] == name
    assert found == golden["event"]


def test_other_libraries_write_our_commands() -> None:
    """A decision that Apache's Avro wrote, with the fingerprint out of the folder."""
    schema = AVRO_SCHEMA.parse((SCHEMAS / "Decide.avsc").read_text(encoding="utf-8"))
    head = next(hexed for hexed, path in INDEX.items() if path == "Decide.avsc")
    body = io.BytesIO()
    said = {"token": "t", "verdict": "approve", "data": b'{"a": 1}', "decided_at": EPOCH}

    AVRO_IO.DatumWriter(schema).write(said, AVRO_IO.BinaryEncoder(body))
    value = b"\xc3\x01" + bytes.fromhex(head) + body.getvalue()
    place = Source(topic="t", partition=0, offset=0, timestamp_ms=0)
    record = InboundRecord(kind="decision", value=value, channel="topic", source=place)
    found = read_inbound(record, arrived_at=EPOCH)

    assert not isinstance(found, Refused), found
    assert isinstance(found, Decide)
    assert (found.token, found.data, found.decided_at) == ("t", b'{"a":1}', EPOCH)


@by_release
def test_old_and_new_schemas_read_each_other(path: Path) -> None:
    """By the rules of Apache's Avro: who updates first, reader or writer, does not matter."""
    current = f"{path.stem.partition('.')[0]}.avsc"
    old = AVRO_SCHEMA.parse(path.read_text(encoding="utf-8"))
    new = AVRO_SCHEMA.parse((SCHEMAS / current).read_text(encoding="utf-8"))
    checker = AVRO_COMPATIBILITY.ReaderWriterCompatibilityChecker()

    found = [checker.get_compatibility(*pair) for pair in ((old, new), (new, old))]

    assert [str(each.compatibility.value) for each in found] == ["compatible"] * 2


def test_fingerprints_are_those_of_the_java_library() -> None:
    """Most readers of the topic are in Java, and compute them themselves."""
    assert {path: hexed for hexed, path in INDEX.items() if path in JAVA} == JAVA


def test_the_field_reference_is_up_to_date() -> None:
    """`make docs` makes it anew."""
    assert (ROOT / "docs" / "events.md").read_text(encoding="utf-8") == reference()
