"""The forms in which a record may say what it says; each gives the same: fields, and of what type.

| first bytes | form |
|---|---|
| `{` | JSON; with content type `application/cloudevents+json` a structured CloudEvent |
| `C3 01` | Avro single-object encoding, in one of our schemas |
| `00` | the Confluent frame, where a registry gives the writer's schema |
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from hitl_events.adapters.avro.codec import record_reader
from hitl_events.adapters.avro.foreign import ForeignSchema, Read
from hitl_events.adapters.avro.reader import UNREADABLE
from hitl_events.adapters.avro.schemas import HEAD_BYTES, MARKER, name_of
from hitl_events.adapters.inbound.commands import BUILD
from hitl_events.adapters.inbound.headers import Headers
from hitl_events.adapters.inbound.json_text import parse_json
from hitl_events.adapters.inbound.refused import RECORD_BYTES_MAX, Unfit
from hitl_events.domain.refusals import Reason
from hitl_events.domain.values import value
from hitl_events.ports import InboundRecord

PREFIX: Final = "hitl.v1."
FRAME: Final = b"\x00"
FRAME_BYTES: Final = 1 + 4

Schemas: TypeAlias = Callable[[int], ForeignSchema | str | None]
"""The schema of an id, or why no record of it can be read, or None: nobody has asked for it yet."""

_STRUCTURED = "application/cloudevents+json"
_CHARSETS = ("", "utf-8", "utf8", "us-ascii", "ascii")


@value
class Said:
    """What a record says: its fields, and the types that its body says they are of."""

    fields: dict[str, Any]
    types: tuple[Any, ...]


class Opener:
    """Opens one record; each way raises `Unfit` with the record's reason."""

    def __init__(
        self, record: InboundRecord, headers: Headers, reason: Reason, schemas: Schemas | None
    ) -> None:
        self._record = record
        self._headers = headers
        self._reason: Reason = reason
        self._schemas = schemas

    def said(self) -> Said:
        """What the record says, in whichever form."""
        value = self._record.value
        if len(value) > RECORD_BYTES_MAX:
            found = f"found {len(value)}"
            raise Unfit("too_large", f"expected at most {RECORD_BYTES_MAX} bytes, {found}")
        media, charset = _media(self._headers.content_type())
        if media == _STRUCTURED:
            return self._from_event(value, charset)
        if media.startswith("application/cloudevents"):
            raise _unreadable(f"one CloudEvent as {_STRUCTURED}", "a batch or another format")
        return self._from_value(value, media, charset)

    def _from_event(self, value: bytes, charset: str) -> Said:
        if not value.startswith(b"{") or charset not in _CHARSETS:
            raise _unreadable("a CloudEvent in JSON, as the content type says", "something else")
        event = parse_json(value)
        self._headers.of_event(event)
        data, packed = event.get("data"), event.get("data_base64")
        inner = event.get("datacontenttype")
        inner = "" if inner is None else inner  # null is an attribute that is not set
        if not isinstance(inner, str) or (data is None) == (packed is None):
            wanted = "'data' or 'data_base64', and a text as 'datacontenttype' if there is one"
            raise Unfit(self._reason, f"expected an event with {wanted}")
        media, charset = _media(inner)
        if data is None:
            return self._from_value(self._unpacked(packed), media, charset)
        if not isinstance(data, dict) or not (media == "" or _is_json(media)):
            raise Unfit(self._reason, "expected a JSON object as the 'data' of the event")
        return self._from_fields(data)

    def _unpacked(self, packed: Any) -> bytes:
        try:
            value = base64.b64decode(packed, validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise _unreadable("base64 as 'data_base64'", "something else") from None
        if value.startswith(FRAME):  # nobody asks the registry for what is packed in an event
            wanted = "JSON or Avro single-object encoding in 'data_base64'"
            raise _unreadable(wanted, "one that begins with 00")
        return value

    def _from_value(self, value: bytes, media: str, charset: str) -> Said:
        """By its first bytes; a content type that is known may not say otherwise."""
        if value.startswith(b"{"):
            if "avro" in media or (_is_json(media) and charset not in _CHARSETS):
                raise _unreadable("what the content type says", "JSON in UTF-8")
            return self._from_fields(parse_json(value))
        framed = value.startswith(FRAME) and self._schemas is not None
        if _is_json(media) and value and (framed or value.startswith(MARKER)):
            raise _unreadable("what the content type says", "Avro")
        if value.startswith(MARKER):
            return self._from_avro(value)
        if framed:
            return self._from_frame(value)
        found = f"one that begins with {value[:1].hex()}" if value else "an empty one"
        wanted = "a record in JSON (first byte '{') or Avro single-object encoding (C3 01)"
        hint = ""
        if value.startswith(FRAME):
            hint = "; the Confluent frame needs HITL_SCHEMA_REGISTRY"
        raise _unreadable(wanted, found + hint)

    def _from_fields(self, fields: dict[str, Any]) -> Said:
        if self._record.kind == "decision":
            return Said(fields=fields, types=())
        return Said(fields=fields, types=(fields.pop("type", None),))

    def _from_avro(self, value: bytes) -> Said:
        if len(value) < HEAD_BYTES:
            raise _unreadable("a fingerprint of 8 bytes", str(len(value) - len(MARKER)))
        name = name_of(value)
        if name is None or name not in BUILD:
            found = value[len(MARKER) : HEAD_BYTES].hex()
            raise Unfit("unknown_schema", f"expected the fingerprint of a command, found {found}")
        read = record_reader(value[:HEAD_BYTES])
        return Said(fields=_whole(read, value, HEAD_BYTES, name), types=(name,))

    def _from_frame(self, value: bytes) -> Said:
        schema_id = frame_id(value)
        if schema_id is None:
            raise _unreadable("a frame of 5 bytes and a record", f"{len(value)} bytes")
        schema = self._schemas(schema_id) if self._schemas else None
        if schema is None:
            raise Unfit(
                "engine_error",
                f"expected the schema {schema_id} of the registry, which was not asked for it:"
                " replay the record",
            )
        if isinstance(schema, str):
            raise Unfit("unknown_schema", schema)
        read = _whole(schema.read, value, FRAME_BYTES, "record of that schema")
        # a foreign schema has all its fields in every record: those it does not use are null
        fields = {name: said for name, said in read.items() if said is not None}
        ours = schema.name.startswith(PREFIX)
        return Said(fields=fields, types=(schema.name,) if ours else ())


def frame_id(value: bytes) -> int | None:
    """The id of the writer's schema of a record in the Confluent frame; None for another one."""
    if not value.startswith(FRAME) or not FRAME_BYTES < len(value) <= RECORD_BYTES_MAX:
        return None
    return int.from_bytes(value[1:FRAME_BYTES], "big")


def _whole(read: Read, value: bytes, start: int, what: str) -> dict[str, Any]:
    try:
        fields, end = read(value, start)
    except UNREADABLE as error:
        raise _unreadable(f"one {what}", str(error)) from None
    if end != len(value):
        raise _unreadable(f"{end} bytes", str(len(value)))
    return fields  # type: ignore[no-any-return]  # what a compiled reader made


def _media(content_type: str) -> tuple[str, str]:
    """Media type and charset, in lower case."""
    media, _, rest = content_type.lower().partition(";")
    for parameter in rest.split(";"):
        name, _, said = parameter.partition("=")
        if name.strip() == "charset":
            return media.strip(), said.strip().strip('"')
    return media.strip(), ""


def _is_json(media: str) -> bool:
    return media.endswith(("/json", "+json"))


def _unreadable(wanted: str, found: str) -> Unfit:
    return Unfit("unreadable", f"expected {wanted}, found {found}")
