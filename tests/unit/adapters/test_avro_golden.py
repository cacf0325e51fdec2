import json
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hitl_events.adapters.avro import AvroCodec, fingerprint, name_of
from hitl_events.adapters.avro.schemas import EVENT_NAMES, HEAD_BYTES, MARKER, load, released
from hitl_events.domain.events import EVENT_TYPES
from hitl_events.domain.values import iso

RECORDS = Path(__file__).parents[2] / "golden" / "records"
GOLDEN = [
    pytest.param(path.stem.partition(".")[0], each, id=f"{path.stem}-{number}")
    for path in sorted(RECORDS.glob("*.json"))
    for number, each in enumerate(json.loads(path.read_text(encoding="utf-8")))
]

GOLDEN_OF: dict[bytes, dict[str, Any]] = {
    bytes.fromhex(each["value"]): each["event"]
    for path in RECORDS.glob("*.json")
    for each in json.loads(path.read_text(encoding="utf-8"))
}
EVENT_HEADS = [head for head in released() if name_of(head) in EVENT_NAMES]


def _plain(value: Any) -> Any:
    """A field as the golden files spell it."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, tuple):
        return [*map(str, value)]  # pyright: ignore[reportUnknownArgumentType]  # of texts
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


def test_every_event_has_golden_records() -> None:
    """An event is released with bytes that all later releases must read."""
    assert {param.values[0] for param in GOLDEN} == {each.__name__ for each in EVENT_TYPES}


@pytest.mark.parametrize("head", EVENT_HEADS, ids=lambda head: released()[head])
def test_every_released_version_has_golden_records_with_and_without_what_is_optional(
    head: bytes,
) -> None:
    """Each nullable field stands in one record with a value and in another without."""
    found = [GOLDEN_OF[value] for value in GOLDEN_OF if value.startswith(head)]
    optional = {each["name"] for each in load(released()[head])["fields"] if "default" in each}

    assert found
    assert {name for event in found for name in optional if event[name] is None} == optional
    assert {name for event in found for name in optional if event[name] is not None} == optional


@pytest.mark.parametrize(("name", "golden"), GOLDEN)
def test_golden_records_are_read_for_ever(name: str, golden: dict[str, Any]) -> None:
    """What was stored once means the same today; what was added since is null."""
    found = AvroCodec().decode(bytes.fromhex(golden["value"]))

    read = _plain(found)

    assert type(found).__name__ == name
    assert {field: read[field] for field in golden["event"]} == golden["event"]
    assert {read[field] for field in read.keys() - golden["event"].keys()} <= {None}


@pytest.mark.parametrize(("name", "golden"), GOLDEN)
def test_golden_records_of_today_encode_to_themselves(name: str, golden: dict[str, Any]) -> None:
    """One event has one spelling, so a digest chain can be checked by anybody."""
    value = bytes.fromhex(golden["value"])
    if value[:HEAD_BYTES] != MARKER + fingerprint(name):
        pytest.skip("superseded: read, never written")

    assert AvroCodec().encode(AvroCodec().decode(value)) == value
