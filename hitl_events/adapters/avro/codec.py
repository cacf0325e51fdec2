"""Events to the bytes that are stored and back: the `Codec` port on compiled functions."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any

from hitl_events.adapters.avro import schemas
from hitl_events.adapters.avro.kept import KeptCodec
from hitl_events.adapters.avro.reader import UNREADABLE, Reader, compile_reader
from hitl_events.adapters.avro.writer import Writer, compile_writer
from hitl_events.domain.events import EVENT_TYPES, About, Event, Source
from hitl_events.domain.mark import DecisionMark, EndMark, GateMark
from hitl_events.errors import CorruptLog, NotSerialisable

_CLASSES: dict[str, type] = {cls.__name__: cls for cls in (*EVENT_TYPES, Source, About)}


class AvroCodec:
    """Single-object encoding of all events in every released schema, each compiled at first use.

    `encode` raises `NotSerialisable` for text that is no valid Unicode and `InvalidInput` for what
    the schema has no room for; `decode` raises `CorruptLog` for all that is not exactly one event.
    """

    def __init__(self) -> None:
        # Dicts, not the cached functions below: a call less on the hottest path.
        self._writers: dict[type[Event], Writer] = {}
        self._readers: dict[bytes, Reader] = {}
        self._marks = KeptCodec(EndMark, GateMark, DecisionMark)

    def encode(self, event: Event) -> bytes:
        writer = self._writers.get(type(event)) or self._compile(type(event))
        try:
            return writer(event)
        except UnicodeEncodeError:
            problem = "a lone surrogate, which is not valid Unicode"
            raise NotSerialisable(_with_surrogate(event), problem) from None

    def decode(self, value: bytes) -> Event:
        reader = self._readers.get(value[: schemas.HEAD_BYTES]) or self._known(value)
        try:
            event, end = reader(value, schemas.HEAD_BYTES)
        except UNREADABLE as error:
            raise CorruptLog(_what(value), f"expected one event, found: {error}") from None
        if end != len(value):
            raise CorruptLog(_what(value), f"expected {end} bytes, found {len(value)}")
        return event  # type: ignore[no-any-return]  # what the compiled function made

    def names(self, value: bytes) -> tuple[str, ...]:
        head = value[: schemas.HEAD_BYTES]
        if head not in self._readers:
            self._known(value)
        return record_names(head)

    def encode_mark(self, mark: EndMark) -> bytes:
        return self._marks.encode(mark)

    def decode_mark(self, value: bytes) -> EndMark | None:
        return self._marks.decode(value)

    def _compile(self, event_type: type[Event]) -> Writer:
        return self._writers.setdefault(event_type, event_writer(event_type.__name__))

    def _known(self, value: bytes) -> Reader:
        head = value[: schemas.HEAD_BYTES]
        if schemas.name_of(value) not in schemas.EVENT_NAMES:
            problem = f"expected the head of an event that this release knows, found {head.hex()!r}"
            raise CorruptLog(_what(value), problem)
        return self._readers.setdefault(head, record_reader(head))


@cache
def event_writer(name: str) -> Writer:
    """Writes events of the class of that name as whole records."""
    return compile_writer(schemas.load(f"{name}.avsc"), schemas.head(name))


@cache
def record_reader(head: bytes) -> Reader:
    """Reads records with that head: events as values, commands as dicts."""
    return compile_reader(schemas.load(schemas.released()[head]), _CLASSES)


@cache
def record_names(head: bytes) -> tuple[str, ...]:
    """The fields of records with that head."""
    return tuple(field["name"] for field in schemas.load(schemas.released()[head])["fields"])


def _what(value: bytes) -> str:
    return f"{schemas.name_of(value) or 'unknown'} record of {len(value)} bytes"


def _with_surrogate(event: Any) -> str:
    """The path of the text in the event that is no valid Unicode."""
    for field in fields(event):
        text = str(getattr(event, field.name))
        if text != text.encode(errors="ignore").decode():
            return f"$.{field.name}"
    return "$"
