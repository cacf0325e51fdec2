import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from hitl_events.adapters.inbound import Refused, read_inbound
from hitl_events.domain.commands import CancelRun, Decide
from hitl_events.domain.events import Source
from hitl_events.ports import InboundKind, InboundRecord

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = Source(topic="t", partition=3, offset=17, timestamp_ms=1)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
STRUCTURED = "application/cloudevents+json"
DATA = {"token": "hitl_x", "verdict": "approve"}
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "a1",
    "source": "urn:crm",
    "type": "hitl.v1.Decide",
    "time": "2026-01-01T00:00:00Z",
    "datacontenttype": "application/json",
    "region": "eu",
    "data": DATA,
}
PLAIN = json.dumps(DATA).encode()


def _read(
    value: bytes | dict[str, Any],
    kind: InboundKind = "decision",
    content_type: str = STRUCTURED,
    **headers: str,
) -> Any:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    pairs = {"content-type": content_type} | headers
    record = InboundRecord(
        kind=kind,
        value=body,
        headers=tuple((name, held.encode()) for name, held in pairs.items()),
        channel="topic",
        source=SOURCE,
    )
    return read_inbound(record, arrived_at=NOW)


def _reason(*args: Any, **more: Any) -> str:
    found = _read(*args, **more)
    assert isinstance(found, Refused), found
    assert "hitl_x" not in found.message
    return found.reason


@pytest.mark.parametrize(
    "content_type",
    [STRUCTURED, STRUCTURED + "; charset=utf-8", 'Application/CloudEvents+JSON;charset="UTF-8"'],
)
def test_a_structured_event_says_what_its_data_says(content_type: str) -> None:
    """The envelope gives the id, the data the decision; extensions are ignored."""
    found = _read(EVENT, content_type=content_type)

    assert isinstance(found, Decide)
    assert (found.token, found.verdict) == ("hitl_x", "approve")
    assert found.decision_id == "urn:crm a1"


def test_the_form_of_an_event_changes_nothing() -> None:
    """Structured, binary with all its headers, and data in base64 are the same decision."""
    binary = {f"ce_{name}": EVENT[name] for name in ("specversion", "id", "source", "type", "time")}
    packed = {key: held for key, held in EVENT.items() if key != "data"}
    packed["data_base64"] = base64.b64encode(PLAIN).decode()

    structured = _read(EVENT)

    assert structured == _read(PLAIN, content_type="application/json", ce_region="eu", **binary)
    assert structured == _read(packed)
    assert structured == _read(EVENT, ce_id="a1", ce_type="hitl.v1.Decide")


def test_an_attribute_that_is_null_is_none() -> None:
    """As CloudEvents has it: null stands for an attribute that is not set."""
    unset = {"datacontenttype": None, "data_base64": None, "traceparent": None, "region": None}

    assert _read(EVENT | unset) == _read(EVENT)


def test_commands_come_structured_too() -> None:
    """The type of the event is that of the command; one in the data may only repeat it."""
    event = EVENT | {"type": "hitl.v1.CancelRun", "data": {"run_id": "r"}}

    found = _read(event, "command")

    assert isinstance(found, CancelRun)
    assert (found.run_id, found.command_id) == ("r", "urn:crm a1")
    assert _reason(event | {"data": {"run_id": "r", "type": "UnblockRun"}}, "command") == (
        "invalid_command"
    )


def test_the_trace_context_is_that_of_the_record_or_else_of_the_event() -> None:
    """The nearest hop is the parent."""
    other = TRACE.replace("0af7", "0000")

    assert _read(EVENT | {"traceparent": TRACE}).origin.traceparent == TRACE
    assert _read(EVENT | {"traceparent": other}, traceparent=TRACE).origin.traceparent == TRACE
    assert _read(EVENT | {"traceparent": 7}).origin.traceparent is None
    assert _read(PLAIN, content_type="", ce_traceparent=TRACE).origin.traceparent == TRACE


@pytest.mark.parametrize(
    "change",
    [
        {"specversion": "0.3"},
        {"specversion": 1.0},
        {"id": ""},
        {"source": None},
        {"type": None},
        {"type": "hitl.v1.StartRun"},
        {"type": "com.example.approved"},
        {"data": None},
        {"data": "approve"},
        {"data": [DATA]},
        {"data": {"token": "hitl_x"}},
        {"data": DATA | {"extra": 1}},
        {"data_base64": "e30="},
        {"datacontenttype": "text/xml"},
        {"datacontenttype": 7},
    ],
    ids=str,
)
def test_an_event_that_is_not_whole_is_an_invalid_decision(change: dict[str, Any]) -> None:
    """The sender learns which attribute is wrong."""
    assert _reason(EVENT | change) == "invalid_decision"


@pytest.mark.parametrize(
    "headers", [{"ce_id": "b2"}, {"ce_source": "urn:x"}, {"ce_type": "hitl.v1.CancelRun"}], ids=str
)
def test_headers_may_repeat_an_event_but_not_contradict_it(headers: dict[str, str]) -> None:
    """Two ids would be two decisions."""
    assert _reason(EVENT, **headers) == "invalid_decision"


@pytest.mark.parametrize(
    ("value", "content_type"),
    [
        (b"[]", STRUCTURED),
        (b"", STRUCTURED),
        (b"\xc3\x01" + bytes(20), STRUCTURED),
        (b'{"specversion": "1.0", "id": NaN}', STRUCTURED),
        (b'{"id": "a", "id": "b"}', STRUCTURED),
        (PLAIN, STRUCTURED + "; charset=utf-16"),
        (b"[" + PLAIN + b"]", "application/cloudevents-batch+json"),
        (b"{}", "application/cloudevents+avro"),
        (PLAIN, "application/avro"),
        (PLAIN, "application/json; charset=latin-1"),
        (b"\xc3\x01" + bytes(20), "application/json"),
        (json.dumps(EVENT | {"data": None, "data_base64": "?"}).encode(), STRUCTURED),
        (json.dumps(EVENT | {"data": None, "data_base64": 7}).encode(), STRUCTURED),
        (json.dumps(EVENT | {"data": None, "data_base64": "AAAA"}).encode(), STRUCTURED),
    ],
)
def test_a_content_type_that_is_not_true_is_unreadable(value: bytes, content_type: str) -> None:
    """What says to be something else is not guessed at."""
    assert _reason(value, content_type=content_type) == "unreadable"


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "application/json; charset=UTF-8",
        "application/vnd.acme+json",
        "text/plain",
        "application/octet-stream",
        "nonsense",
        "\ufffd",
    ],
)
def test_a_content_type_that_says_little_is_no_reason_to_refuse(content_type: str) -> None:
    """Many clients set one that they did not choose."""
    assert isinstance(_read(PLAIN, content_type=content_type), Decide)


@pytest.mark.parametrize(
    "headers",
    [{"ce_specversion": "0.3"}, {"ce_type": "hitl.v1.StartRun"}, {"ce_type": "com.example.x"}],
    ids=str,
)
def test_a_binary_event_of_another_type_is_no_decision(headers: dict[str, str]) -> None:
    """Unknown extensions are ignored; the type and the version are none."""
    assert _reason(PLAIN, content_type="application/json", **headers) == "invalid_decision"
