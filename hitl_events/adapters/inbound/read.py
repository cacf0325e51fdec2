"""Reads what anybody may put on the inbound topics: a record becomes a command, or is refused.

Forms: JSON and Avro single-object. The Confluent frame (first byte 0) and structured CloudEvents
(content type `application/cloudevents+json`) would be two more cases of `_body`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hitl_events.adapters.avro.codec import record_reader
from hitl_events.adapters.avro.reader import UNREADABLE
from hitl_events.adapters.avro.schemas import HEAD_BYTES, MARKER, name_of
from hitl_events.adapters.inbound.commands import BUILD, FIELDS
from hitl_events.adapters.inbound.fields import Fields
from hitl_events.adapters.inbound.headers import Headers
from hitl_events.adapters.inbound.json_text import parse_json
from hitl_events.adapters.inbound.refused import RECORD_BYTES_MAX, Unfit, shown
from hitl_events.domain.commands import Command, Origin
from hitl_events.domain.refusals import Reason, Refused
from hitl_events.ports import InboundKind, InboundRecord

_PREFIX = "hitl.v1."
_REASONS: dict[InboundKind, Reason] = {
    "decision": "invalid_decision",
    "command": "invalid_command",
}


def read_inbound(record: InboundRecord, *, arrived_at: datetime) -> Command | Refused:
    """The command that the record is, or the first reason why it is none. It never raises.

    What an engine has to add: the seed of a start, the claim of a token.
    """
    reason = _REASONS[record.kind]
    headers = Headers(record, reason)
    try:
        name, values = _body(record, headers)
        fields = Fields(values, reason)
        if name == "Decide":
            fields.either("verdict", "decision")
        fields.only(FIELDS[name])
        origin = Origin(
            channel=record.channel,
            source=record.source,
            traceparent=headers.traceparent(),
            arrived_at=arrived_at,
        )
        return BUILD[name](fields, headers, origin)
    except Unfit as unfit:
        return Refused(reason=unfit.reason, message=str(unfit))


def _body(record: InboundRecord, headers: Headers) -> tuple[str, dict[str, Any]]:
    """Name of the command and its fields."""
    value = record.value
    if len(value) > RECORD_BYTES_MAX:
        raise Unfit("too_large", f"expected at most {RECORD_BYTES_MAX} bytes, found {len(value)}")
    if value.startswith(b"{"):
        return _from_json(record, headers)
    if value.startswith(MARKER):
        return _from_avro(record, headers)
    found = f"one that begins with {value[:1].hex()}" if value else "an empty one"
    wanted = "a record in JSON (first byte '{') or Avro single-object encoding (C3 01)"
    raise Unfit("unreadable", f"expected {wanted}, found {found}")


def _from_json(record: InboundRecord, headers: Headers) -> tuple[str, dict[str, Any]]:
    values = parse_json(record.value)
    if record.kind == "decision":
        return "Decide", values
    return _named(values.pop("type", None), headers), values


def _from_avro(record: InboundRecord, headers: Headers) -> tuple[str, dict[str, Any]]:
    value = record.value
    if len(value) < HEAD_BYTES:
        raise Unfit("unreadable", f"expected a fingerprint of 8 bytes, found {len(value) - 2}")
    name = name_of(value)
    if name is None or name not in BUILD:
        found = value[len(MARKER) : HEAD_BYTES].hex()
        raise Unfit("unknown_schema", f"expected the fingerprint of a command, found {found}")
    try:
        values, end = record_reader(value[:HEAD_BYTES])(value, HEAD_BYTES)
    except UNREADABLE as error:
        raise Unfit("unreadable", f"expected one {_PREFIX}{name}, found: {error}") from None
    if end != len(value):
        raise Unfit("unreadable", f"expected {end} bytes, found {len(value)}")
    if record.kind == "decision" and name != "Decide":
        raise Unfit("invalid_decision", f"expected {_PREFIX}Decide, found {_PREFIX}{name}")
    if record.kind == "command":
        _named(name, headers)
    return name, values


def _named(in_body: Any, headers: Headers) -> str:
    """The command's name: from the header, from the body, or the same from both."""
    names = {_bare(name) for name in (headers.text("ce_type"), in_body) if name is not None}
    if not names:
        raise _no_command("no type: set the header ce_type or the field 'type'")
    if len(names) > 1:
        raise _no_command("one type in the header and another in the body")
    name = names.pop()
    if name == "Decide":
        raise _no_command("a decision: send it to the topic of decisions")
    if name not in BUILD:
        raise _no_command(shown(name))
    return name


def _bare(name: Any) -> str:
    if not isinstance(name, str):
        raise _no_command("a 'type' that is no text")
    return name.removeprefix(_PREFIX)


def _no_command(found: str) -> Unfit:
    wanted = ", ".join(f"{_PREFIX}{name}" for name in BUILD if name != "Decide")
    return Unfit("invalid_command", f"expected one of {wanted}; found {found}")
