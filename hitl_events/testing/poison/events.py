"""CloudEvents that are none, headers that are not true."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from hitl_events.domain.refusals import Reason
from hitl_events.ports import Headers, InboundKind
from hitl_events.testing.poison.record import Poison, Target
from hitl_events.testing.poison.sound import avro, fields, text

STRUCTURED = b"application/cloudevents+json"


def events(target: Target, kind: InboundKind) -> Iterator[Poison]:
    """Each with its reason."""
    invalid: Reason = "invalid_decision" if kind == "decision" else "invalid_command"
    for name, value in _unreadable_events(target, kind).items():
        yield _structured(name, kind, value, "unreadable")
    for name, change in _invalid_events(target, kind).items():
        yield _structured(name, kind, _event(target, kind, change), invalid)
    for name, said in _contradictions().items():
        yield _structured(name, kind, _event(target, kind, {}), invalid, (said,))
    for name, headers in _invalid_headers(kind).items():
        value = text(target, kind)
        yield Poison(name=name, kind=kind, value=value, headers=headers, reason=invalid)
    for name, (media, value) in _untrue(target, kind).items():
        headers = (("content-type", media),)
        yield Poison(name=name, kind=kind, value=value, headers=headers, reason="unreadable")


def _structured(
    name: str, kind: InboundKind, value: bytes, reason: Reason, more: Headers = ()
) -> Poison:
    headers = (("content-type", STRUCTURED), *more)
    return Poison(name=f"event: {name}", kind=kind, value=value, headers=headers, reason=reason)


def _event(target: Target, kind: InboundKind, change: dict[str, Any]) -> bytes:
    said = fields(target, kind)
    name = said.pop("type", "Decide")
    sound = {"specversion": "1.0", "id": "1", "source": "urn:x", "type": f"hitl.v1.{name}"}
    event = sound | {"data": said} | change
    return json.dumps({key: held for key, held in event.items() if held is not None}).encode()


def _unreadable_events(target: Target, kind: InboundKind) -> dict[str, bytes]:
    packed = base64.b64encode(b"\x00\x01").decode()
    good = _event(target, kind, {})
    return {
        "empty": b"",
        "cut": good[:-1],
        "a list": b"[" + good + b"]",
        "Avro": avro(target, kind),
        "an id twice": good[:-1] + b',"id":"2"}',
        "no base64": _event(target, kind, {"data": None, "data_base64": "%%"}),
        "base64 of nothing": _event(target, kind, {"data": None, "data_base64": packed}),
        "a number as base64": _event(target, kind, {"data": None, "data_base64": 1}),
    }


def _invalid_events(target: Target, kind: InboundKind) -> dict[str, dict[str, Any]]:
    other = "StartRun" if kind == "decision" else "Decide"
    return {
        "no id": {"id": None},
        "an empty source": {"source": ""},
        "a number as id": {"id": 1},
        "no type": {"type": None},
        "the other topic's type": {"type": f"hitl.v1.{other}"},
        "a foreign type": {"type": "com.example.approved"},
        "a version of CloudEvents that is not": {"specversion": "0.3"},
        "no version of CloudEvents": {"specversion": None},
        "no data": {"data": None},
        "a text as data": {"data": text(target, kind).decode()},
        "a list as data": {"data": [fields(target, kind)]},
        "data twice": {"data_base64": "e30="},
        "XML as data": {"datacontenttype": "application/xml"},
        "unknown fields in data": {"data": fields(target, kind) | {"surprise": 1}},
        "an id that is too long": {"id": "i" * 257},
    }


def _contradictions() -> dict[str, tuple[str, bytes]]:
    return {
        "another id in the header": ("ce_id", b"2"),
        "another source in the header": ("ce_source", b"urn:y"),
        "another type in the header": ("ce_type", b"hitl.v1.UnblockRun"),
        "another version in the header": ("ce_specversion", b"0.3"),
    }


def _invalid_headers(kind: InboundKind) -> dict[str, Headers]:
    other = b"hitl.v1.CancelRun" if kind == "decision" else b"hitl.v1.Decide"
    return {
        "ce_type of the other topic": (("ce_type", other),),
        "a foreign ce_type": (("ce_type", b"com.example.approved"),),
        "ce_type in bytes": (("ce_type", b"\xff"),),
        "ce_type of an event": (("ce_type", b"hitl.v1.GatePaused"),),
        "ce_specversion of old": (("ce_specversion", b"0.3"),),
        "ce_id in bytes": (("ce_source", b"urn:x"), ("ce_id", b"\xff")),
        "ce_id that is too long": (("ce_source", b"urn:x"), ("ce_id", b"i" * 257)),
    }


def _untrue(target: Target, kind: InboundKind) -> dict[str, tuple[bytes, bytes]]:
    good = text(target, kind)
    return {
        "JSON that says to be Avro": (b"application/avro", good),
        "Avro that says to be JSON": (b"application/json", avro(target, kind)),
        "JSON in a charset that it has not": (b"application/json; charset=utf-16", good),
        "a batch of events": (b"application/cloudevents-batch+json", b"[" + good + b"]"),
        "an event in Avro": (b"application/cloudevents+avro", avro(target, kind)),
    }
