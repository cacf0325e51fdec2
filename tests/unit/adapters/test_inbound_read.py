import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import fastavro
import pytest

from hitl_events.adapters.avro import fingerprint
from hitl_events.adapters.avro.schemas import MARKER, load
from hitl_events.adapters.inbound import RECORD_BYTES_MAX, Refused, read_inbound
from hitl_events.adapters.inbound.headers import RUN_NAMESPACE
from hitl_events.domain import canonical
from hitl_events.domain.commands import CancelRun, Decide, StartRun, UnblockRun
from hitl_events.domain.content import content_digest
from hitl_events.domain.events import Source
from hitl_events.domain.values import digest
from hitl_events.ports import InboundKind, InboundRecord

FASTAVRO: Any = fastavro
"""Its types are partly unknown."""
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = Source(topic="hitl.decisions", partition=3, offset=17, timestamp_ms=1_767_225_600_000)
POSITION = "hitl.decisions:3:17:1767225600000"
TOKEN = "hitl_AQIDBAUGBwgJ"


def _record(
    value: bytes | dict[str, Any], kind: InboundKind, **headers: str | bytes
) -> InboundRecord:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    pairs = tuple((k, v if isinstance(v, bytes) else v.encode()) for k, v in headers.items())
    return InboundRecord(kind=kind, value=body, headers=pairs, channel="topic", source=SOURCE)


def _decision(value: bytes | dict[str, Any], **headers: str | bytes) -> Decide:
    found = read_inbound(_record(value, "decision", **headers), arrived_at=NOW)
    assert isinstance(found, Decide), found
    return found


def _command(value: bytes | dict[str, Any], **headers: str | bytes) -> Any:
    found = read_inbound(_record(value, "command", **headers), arrived_at=NOW)
    assert not isinstance(found, Refused), found
    return found


def _refused(
    value: bytes | dict[str, Any], kind: InboundKind = "decision", **headers: str | bytes
) -> Refused:
    found = read_inbound(_record(value, kind, **headers), arrived_at=NOW)
    assert isinstance(found, Refused), found
    return found


def _digest(said: dict[str, Any]) -> bytes:
    return content_digest(**said)


def _avro(name: str, **fields: Any) -> bytes:
    """The record as a sender in any language writes it."""
    body = io.BytesIO()
    schema = FASTAVRO.parse_schema(load(f"{name}.avsc"), named_schemas={})
    FASTAVRO.schemaless_writer(body, schema, fields)
    return MARKER + fingerprint(name) + body.getvalue()


def test_the_least_decision_is_a_token_and_a_verdict() -> None:
    """All else has a default: the id is the position, nobody is believed."""
    found = _decision({"token": TOKEN, "verdict": "approve"})

    assert (found.token, found.verdict, found.decision_id) == (TOKEN, "approve", POSITION)
    assert (found.notes, found.data, found.decided_by, found.draft_digest) == (None,) * 4
    assert (found.decided_at, found.key_id, found.claim, found.data_problem) == (None,) * 4
    assert (found.origin.channel, found.origin.identity) == ("topic", "claimed")
    assert (found.origin.source, found.origin.arrived_at) == (SOURCE, NOW)


def test_a_whole_decision_is_read_field_by_field() -> None:
    """Every field of the contract arrives, data in canonical form."""
    found = _decision(
        {
            "token": TOKEN,
            "verdict": "request_changes",
            "notes": "§4 is wrong",
            "data": {"b": 1.0, "a": ["ü"]},
            "decision_id": "mine-1",
            "decided_by": "ann",
            "draft_digest": "AB" * 32,
            "decided_at": "2026-01-01T02:00:00.5+02:00",
        }
    )

    assert (found.verdict, found.notes) == ("request_changes", "§4 is wrong")
    assert found.data == '{"a":["ü"],"b":1}'.encode()
    assert (found.decision_id, found.decided_by) == ("mine-1", "ann")
    assert found.draft_digest == b"\xab" * 32
    assert found.decided_at == NOW + timedelta(milliseconds=500)
    assert found.decided_at is not None
    assert found.decided_at.tzinfo is UTC


def test_avro_and_json_say_the_same() -> None:
    """The form of a decision changes nothing about it, not even its digest."""
    fields: dict[str, Any] = {
        "token": TOKEN,
        "verdict": "deny",
        "notes": "no",
        "decision_id": "d",
        "decided_by": "ann",
        "draft_digest": "ab" * 32,
    }
    at = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=1)))

    in_json = _decision(fields | {"data": {"a": 1}, "decided_at": at.isoformat()})
    in_avro = _decision(_avro("Decide", **fields, data=b' {"a": 1} ', decided_at=at))

    assert in_avro == in_json


def test_the_alias_of_verdict_is_decision() -> None:
    """Systems that say `decision` are understood."""
    assert _decision({"token": TOKEN, "decision": "deny"}).verdict == "deny"


def test_null_is_the_same_as_absent() -> None:
    """Senders that spell out every field mean nothing by it."""
    bare = {"token": TOKEN, "verdict": "approve"}

    nulls = dict.fromkeys(("notes", "data", "decision_id", "decided_by", "decision"))

    assert _decision(bare | nulls) == _decision(bare)


def test_the_content_digest_is_that_of_six_fields() -> None:
    """Anybody can compute it from the contract; id and time are no part of it."""
    said: dict[str, Any] = {"token": TOKEN, "verdict": "deny", "notes": 'a "b" ü'}
    unsaid = {"decision_id": "other", "decided_at": "2026-01-01T00:00:00Z"}

    found = _decision(said | {"data": {"z": [], "a": 1.5}})
    again = _decision(said | unsaid | {"data": {"a": 1.5, "z": []}})

    content = (
        '{"data":{"a":1.5,"z":[]},"decided_by":null,"draft_digest":null,'
        f'"notes":"a \\"b\\" ü","token":"{TOKEN}","verdict":"deny"}}'
    )
    assert found.content_digest == again.content_digest == sha256(content.encode()).digest()


@pytest.mark.parametrize(
    "change",
    [
        {"token": "other"},
        {"verdict": "approve"},
        {"notes": "x"},
        {"data": b"{}"},
        {"decided_by": "ann"},
        {"draft_digest": bytes(32)},
    ],
)
def test_each_of_the_six_fields_changes_the_digest(change: dict[str, Any]) -> None:
    """Nothing that a decision says can be changed under the same id."""
    said: dict[str, Any] = {"token": TOKEN, "verdict": "deny"}

    assert _digest(said | change) != _digest(said)


def test_the_digest_is_that_of_canonical_json() -> None:
    """The parts put together give what the canonical encoder gives for the whole."""
    said: dict[str, Any] = {"token": TOKEN, "verdict": "deny", "notes": None, "decided_by": "ü"}
    whole = said | {"data": {"ü": 1e21}, "draft_digest": "00" * 32}

    pieces = said | {"data": canonical.dumps(whole["data"]), "draft_digest": bytes(32)}

    assert _digest(pieces) == digest(canonical.dumps(whole))


def test_a_cloud_event_is_its_own_id() -> None:
    """Source and id of the event, where both are there; an id of the decision's own wins."""
    bare = {"token": TOKEN, "verdict": "approve"}
    event = {"ce_source": "urn:crm x", "ce_id": "a 1"}

    assert _decision(bare, **event).decision_id == "urn:crm%20x a 1"
    assert _decision(bare | {"decision_id": "d"}, **event).decision_id == "d"
    assert _decision(bare, ce_id="a1").decision_id == POSITION
    assert _decision(bare, ce_source="urn:crm", ce_id="").decision_id == POSITION


@pytest.mark.parametrize(
    ("sent", "carried"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        ("00-xyz", False),
        (b"\xff", False),
    ],
)
def test_a_trace_context_is_carried_if_it_is_one(sent: str | bytes, carried: bool) -> None:
    """A broken one is dropped; it is no reason to refuse a decision."""
    found = _decision({"token": TOKEN, "verdict": "approve"}, traceparent=sent)

    assert found.origin.traceparent == (sent if carried else None)


def test_of_a_repeated_header_the_last_counts() -> None:
    """As in the broker's own libraries."""
    record = _record({"token": TOKEN, "verdict": "approve"}, "decision", ce_source="s", ce_id="1")
    record = replace(record, headers=(*record.headers, ("ce_id", b"2")))

    found = read_inbound(record, arrived_at=NOW)

    assert isinstance(found, Decide)
    assert found.decision_id == "s 2"


def test_a_start_needs_a_recipe_only() -> None:
    """Its run id is derived from where the record stands, so that a redelivery is the same run."""
    found = _command({"type": "StartRun", "recipe": "r"})

    assert isinstance(found, StartRun)
    assert (found.recipe, found.input, found.version, found.seed) == ("r", b"null", None, b"")
    assert found.command_id == POSITION
    assert found.run_id == str(uuid5(RUN_NAMESPACE, POSITION))
    assert found.run_id == "00a5903b-7f65-543a-803e-b9343c3944d4"
    assert uuid5(NAMESPACE_URL, "urn:hitl-events:run") == RUN_NAMESPACE


def test_a_whole_start_is_read() -> None:
    """The input may be any JSON value."""
    body: dict[str, Any] = {
        "recipe": "r",
        "input": [1, {}],
        "run_id": "a.b~c",
        "version": "2",
        "started_by": "ann",
    }

    found = _command(body, ce_type="hitl.v1.StartRun", ce_source="s", ce_id="1")

    assert (found.input, found.run_id, found.version) == (b"[1,{}]", "a.b~c", "2")
    assert (found.started_by, found.command_id) == ("ann", "s 1")


def test_commands_come_in_avro_too() -> None:
    """The fingerprint names the type: no header is needed."""
    start = _command(_avro("StartRun", recipe="r", input=b'{"a": [1.0]}', run_id="x"))
    cancel = _command(_avro("CancelRun", run_id="x", reason="why"))
    unblock = _command(_avro("UnblockRun", run_id="x"), ce_type="hitl.v1.UnblockRun")

    assert (start.input, start.run_id) == (b'{"a":[1]}', "x")
    assert isinstance(cancel, CancelRun)
    assert (cancel.run_id, cancel.reason, cancel.cancelled_by) == ("x", "why", None)
    assert isinstance(unblock, UnblockRun)
    assert (unblock.run_id, unblock.by) == ("x", None)


@pytest.mark.parametrize(
    ("type_", "header"),
    [("CancelRun", None), ("hitl.v1.CancelRun", "hitl.v1.CancelRun"), (None, "hitl.v1.CancelRun")],
)
def test_the_type_stands_in_the_header_or_in_the_body(
    type_: str | None, header: str | None
) -> None:
    """Or in both, if they agree; a reason may be left out."""
    headers = {} if header is None else {"ce_type": header}

    found = _command({"type": type_, "run_id": "x"}, **headers)

    assert (found.run_id, found.reason) == ("x", "")


def test_a_record_may_be_as_large_as_the_limit() -> None:
    """And not a byte larger, whatever is in it."""
    frame = len(json.dumps({"token": "", "verdict": "approve"}))
    largest = {"token": "x" * (RECORD_BYTES_MAX - frame), "verdict": "approve"}

    assert len(_decision(largest).token) == RECORD_BYTES_MAX - frame
    assert _refused(json.dumps(largest).encode() + b" ").reason == "too_large"
    assert _refused(b"\xff" * (RECORD_BYTES_MAX + 1)).reason == "too_large"
