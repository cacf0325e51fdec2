import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hitl_events.adapters.avro.schemas import folder
from hitl_events.adapters.inbound import Refused, WriterSchemas, read_inbound
from hitl_events.adapters.inbound.confluent import ABSENT_S
from hitl_events.domain.commands import CancelRun, Decide, StartRun
from hitl_events.domain.events import Source
from hitl_events.errors import RegistryUnavailable
from hitl_events.ports import Headers, InboundKind, InboundRecord
from tests.unit.adapters.avro_bytes import body_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = Source(topic="t", partition=3, offset=17, timestamp_ms=1)
NULLABLE = ["null", "string"]


def _schema(name: str, **types: Any) -> dict[str, Any]:
    fields = [{"name": field, "type": kind} for field, kind in types.items()]
    return {"type": "record", "name": name, "namespace": "com.acme", "fields": fields}


TEXTS = _schema("Approval", token="string", verdict="string")
RICH = _schema(
    "Approval",
    token="string",
    decision={"type": "enum", "name": "V", "symbols": ["approve", "deny"]},
    notes=NULLABLE,
    data=_schema("Form", amount="double", lines={"type": "array", "items": "int"}),
    decided_at={"type": "long", "logicalType": "timestamp-millis"},
    colour=NULLABLE,
)
CANCEL = _schema("Stop", run_id="string")


class Shelf:
    """A registry in memory that counts, and may be away."""

    def __init__(self, *schemas: Any) -> None:
        self.held = {n: json.dumps(schema) for n, schema in enumerate(schemas, 1)}
        self.asked: list[int] = []
        self.away = False

    async def schema(self, schema_id: int) -> str | None:
        self.asked.append(schema_id)
        if self.away:
            raise RegistryUnavailable("expected an answer, found none")
        return self.held.get(schema_id)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _frame(schema_id: int, schema: Any, **fields: Any) -> bytes:
    return b"\x00" + schema_id.to_bytes(4, "big") + body_of(schema, fields)


def _read(
    value: bytes,
    schemas: WriterSchemas | None,
    kind: InboundKind = "decision",
    headers: Headers = (),
) -> Any:
    record = InboundRecord(kind=kind, value=value, headers=headers, channel="c", source=SOURCE)
    find = None if schemas is None else schemas.find
    return read_inbound(record, arrived_at=NOW, schemas=find)


async def _read_with(
    shelf: Shelf, value: bytes, kind: InboundKind = "decision", headers: Headers = ()
) -> Any:
    schemas = WriterSchemas(shelf, Clock())
    await schemas.ready([value])
    return _read(value, schemas, kind, headers)


async def test_any_record_with_our_fields_is_a_decision() -> None:
    """The name of the writer's type does not matter."""
    found = await _read_with(Shelf(TEXTS), _frame(1, TEXTS, token="t", verdict="approve"))

    assert isinstance(found, Decide)
    assert (found.token, found.verdict, found.notes) == ("t", "approve", None)


async def test_a_rich_schema_says_what_json_says() -> None:
    """Enums are texts, records are objects, times are times, what is null is not there."""
    said = {"token": "t", "decision": "deny", "notes": "n", "decided_at": NOW + timedelta(hours=1)}
    form = {"amount": 2.0, "lines": [1, 2]}

    found = await _read_with(Shelf(RICH), _frame(1, RICH, **said, data=form, colour=None))
    text = json.dumps(said | {"data": form, "decided_at": "2026-01-01T01:00:00Z"})

    assert found == _read(text.encode(), None)


async def test_our_own_schemas_may_be_registered() -> None:
    """Then the record's name is its type, as in single-object encoding."""
    ours = [json.loads((folder() / f"{name}.avsc").read_text()) for name in ("Decide", "StartRun")]
    start = _frame(2, ours[1], recipe="r", input=b'{"a": 1.0}', run_id="x")

    found = await _read_with(Shelf(*ours), start, "command")

    assert isinstance(found, StartRun)
    assert (found.recipe, found.input, found.run_id) == ("r", b'{"a":1}', "x")
    assert (await _read_with(Shelf(*ours), start)).reason == "invalid_decision"
    decide = _frame(1, ours[0], token="t", verdict="v")
    assert (await _read_with(Shelf(*ours), decide, "command")).reason == "invalid_command"


async def test_a_command_of_another_name_says_its_type_in_the_header() -> None:
    """As in JSON."""
    value = _frame(1, CANCEL, run_id="x")

    found = await _read_with(Shelf(CANCEL), value, "command", (("ce_type", b"hitl.v1.CancelRun"),))

    assert isinstance(found, CancelRun)
    assert (await _read_with(Shelf(CANCEL), value, "command")).reason == "invalid_command"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\x00", "unreadable"),
        (b"\x00\x00\x00\x00\x01", "unreadable"),
        (b"\x00\x00\x00\x00\x01\x08t", "unreadable"),
        (_frame(1, TEXTS, token="t", verdict="v") + b"x", "unreadable"),
        (b"\x00\x00\x00\x00\x00\x02t\x02v", "unknown_schema"),
        (b"\x00\xff\xff\xff\xff\x02t\x02v", "unknown_schema"),
        (b"\x00\x00\x00\x00\x09\x02t\x02v", "unknown_schema"),
        (b"\x00\x00\x00\x00\x02\x02t\x02v", "unknown_schema"),
        (_frame(3, _schema("N", token="int", verdict="string"), token=1, verdict="v"), None),
        (_frame(4, _schema("N", token="string"), token="t"), None),
        (_frame(5, _schema("N", token="string", x="int"), token="t", x=1), None),
    ],
)
async def test_a_frame_that_is_no_decision_is_refused(value: bytes, reason: str | None) -> None:
    """Types are checked as in JSON, unknown fields are refused, schemas that are none are named."""
    others = [_schema("N", token="int", verdict="string"), _schema("N", token="string")]
    shelf = Shelf(TEXTS, ["null", "string"], *others, _schema("N", token="string", x="int"))

    found = await _read_with(shelf, value)

    assert isinstance(found, Refused)
    assert found.reason == (reason or "invalid_decision")


def test_without_a_registry_a_frame_is_unreadable() -> None:
    """The message says which variable is missing."""
    found = _read(_frame(1, TEXTS, token="t", verdict="v"), None)

    assert (found.reason, "HITL_SCHEMA_REGISTRY" in found.message) == ("unreadable", True)


async def test_a_schema_is_asked_for_once() -> None:
    """An id means the same for ever; records of other forms ask for none."""
    shelf = Shelf(TEXTS, CANCEL)
    schemas = WriterSchemas(shelf, Clock())
    one, two = _frame(1, TEXTS, token="t", verdict="v"), _frame(2, CANCEL, run_id="x")

    await schemas.ready([one, two, one, b"{}", b"", b"\xc3\x01", b"\x00", b"\x00" + bytes(300_000)])
    await schemas.ready([one])

    assert sorted(shelf.asked) == [1, 2]


async def test_an_id_that_is_not_there_is_asked_for_again_after_a_while() -> None:
    """It may be on its way to the registry's follower."""
    shelf, clock = Shelf(), Clock()
    schemas = WriterSchemas(shelf, clock)
    value = _frame(1, TEXTS, token="t", verdict="v")
    await schemas.ready([value])
    assert _read(value, schemas).reason == "unknown_schema"
    shelf.held[1] = json.dumps(TEXTS)

    await schemas.ready([value])
    early = _read(value, schemas)
    clock.now_s = ABSENT_S
    await schemas.ready([value])

    assert isinstance(early, Refused)
    assert isinstance(_read(value, schemas), Decide)


async def test_a_registry_that_is_away_refuses_nothing() -> None:
    """Within the bound it is asked again; after it the caller hears that it is unavailable."""
    shelf = Shelf(TEXTS)
    shelf.away = True
    schemas = WriterSchemas(shelf, Clock())
    value = _frame(1, TEXTS, token="t", verdict="v")

    with pytest.raises(RegistryUnavailable):
        await schemas.ready([value], within_s=0.25)
    asked = len(shelf.asked)
    shelf.away = False
    await schemas.ready([value])

    assert asked > 1
    assert isinstance(_read(value, schemas), Decide)


async def test_a_registry_that_is_away_is_not_asked_for_each_schema() -> None:
    """One failure says it for all that wait, until the next try."""
    shelf = Shelf()
    shelf.away = True
    values = [_frame(n, TEXTS, token="t", verdict="v") for n in range(1, 500)]

    with pytest.raises(RegistryUnavailable):
        await WriterSchemas(shelf, Clock()).ready(values, within_s=0.05)

    assert len(shelf.asked) < 20


def test_a_schema_that_nobody_asked_for_can_be_read_later() -> None:
    """An intake that forgot to ask makes a dead letter to replay, and not a wrong reason."""
    found = _read(_frame(1, TEXTS, token="t", verdict="v"), WriterSchemas(Shelf(), Clock()))

    assert found.reason == "engine_error"


async def test_a_frame_within_an_event_is_unreadable() -> None:
    """Whether its schema is known from other records or not: an answer depends on no cache."""
    frame = _frame(1, TEXTS, token="hitl_x", verdict="approve")
    attributes = {"specversion": "1.0", "id": "1", "source": "s", "type": "hitl.v1.Decide"}
    event = json.dumps(attributes | {"data_base64": b64encode(frame).decode()}).encode()
    structured = (("content-type", b"application/cloudevents+json"),)
    schemas = WriterSchemas(Shelf(TEXTS), Clock())

    before = _read(event, schemas, headers=structured)
    await schemas.ready([frame])
    after = _read(event, schemas, headers=structured)

    assert before == after
    assert (before.reason, "data_base64" in before.message) == ("unreadable", True)
