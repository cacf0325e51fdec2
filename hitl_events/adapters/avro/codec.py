"""Events to the bytes that are stored and back: the `Codec` port on compiled functions."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any

from hitl_events.adapters.avro import schemas
from hitl_events.adapters.avro.kept import KeptCodec
from hitl_events.adapters.avro.reader import UNREADABLE, Reader, compile_reader, upcast
from hitl_events.adapters.avro.writer import Writer, compile_writer
from hitl_events.domain.events import EVENT_TYPES, About, Event, Source
from hitl_events.domain.mark import DecisionMark, EndMark, GateMark
from hitl_events.errors import CorruptLog, InvalidInput, NotSerialisable
from hitl_events.ports import Written

_NESTED: dict[str, type] = {cls.__name__: cls for cls in (Source, About)}
_EVENTS: dict[str, type] = {cls.__name__: cls for cls in EVENT_TYPES}


class AvroCodec:
    """Single-object encoding of all events in every released schema, each compiled at first use.

    A record of an older schema is read as today's event, by its upcasters where it has some.

    `encode` raises `NotSerialisable` for text that is no valid Unicode and `InvalidInput` for what
    the schema has no room for; `decode` raises `CorruptLog` for all that is not exactly one event.
    """

    def __init__(self, catalogue: schemas.Catalogue | None = None) -> None:
        self._catalogue = catalogue or schemas.ours()
        # Dicts, not the cached functions below: a call less on the hottest path.
        self._writers: dict[type[Event], Writer] = {}
        self._readers: dict[bytes, Reader] = {}
        self._as_written: dict[bytes, Reader] = {}
        self._marks = KeptCodec(EndMark, GateMark, DecisionMark)

    def encode(self, event: Event) -> bytes:
        writer = self._writers.get(type(event)) or self._compile(type(event))
        try:
            return writer(event)
        except UnicodeEncodeError:
            problem = "a lone surrogate, which is not valid Unicode"
            raise NotSerialisable(_with_surrogate(event), problem) from None

    def decode(self, value: bytes) -> Event:
        reader = self._readers.get(value[: schemas.HEAD_BYTES])
        if reader is None:
            head = self._head(value)
            reader = self._readers[head] = _event_reader(self._catalogue, head)
        event: Event = self._read(reader, value)
        return event

    def written(self, value: bytes) -> Written:
        reader = self._as_written.get(value[: schemas.HEAD_BYTES])
        if reader is None:
            head = self._head(value)
            reader = self._as_written[head] = _fields_reader(self._catalogue, head)
        fields_: dict[str, object] = self._read(reader, value)
        return Written(name=self._catalogue.name_of(value) or "", fields=fields_)

    def _read(self, reader: Reader, value: bytes) -> Any:
        try:
            found, end = reader(value, schemas.HEAD_BYTES)
        except (InvalidInput, *UNREADABLE) as error:
            raise CorruptLog(self._what(value), f"expected one event, found: {error}") from None
        if end != len(value):
            raise CorruptLog(self._what(value), f"expected {end} bytes, found {len(value)}")
        return found

    def encode_mark(self, mark: EndMark) -> bytes:
        return self._marks.encode(mark)

    def decode_mark(self, value: bytes) -> EndMark | None:
        return self._marks.decode(value)

    def _compile(self, event_type: type[Event]) -> Writer:
        return self._writers.setdefault(
            event_type, _event_writer(self._catalogue, event_type.__name__)
        )

    def _head(self, value: bytes) -> bytes:
        """The head of a record of ours; `CorruptLog` for any other."""
        head = value[: schemas.HEAD_BYTES]
        if self._catalogue.name_of(head) not in schemas.EVENT_NAMES:
            problem = f"expected the head of an event that this release knows, found {head.hex()!r}"
            raise CorruptLog(self._what(value), problem)
        return head

    def _what(self, value: bytes) -> str:
        return f"{self._catalogue.name_of(value) or 'unknown'} record of {len(value)} bytes"


@cache
def record_reader(head: bytes) -> Reader:
    """Reads records of this release with that head, commands among them, as dicts."""
    return _fields_reader(schemas.ours(), head)


@cache
def _event_writer(catalogue: schemas.Catalogue, name: str) -> Writer:
    """Writes events of the class of that name as whole records."""
    return compile_writer(catalogue.load(f"{name}.avsc"), catalogue.head(name))


@cache
def _event_reader(catalogue: schemas.Catalogue, head: bytes) -> Reader:
    """Reads records with that head as events of today."""
    chain = catalogue.upcasters(head)
    if chain:
        name = catalogue.name_of(head) or ""
        return upcast(_fields_reader(catalogue, head), chain, _EVENTS[name])
    return compile_reader(catalogue.load(catalogue.paths[head]), _EVENTS | _NESTED)


@cache
def _fields_reader(catalogue: schemas.Catalogue, head: bytes) -> Reader:
    """Reads records with that head as the fields that their own schema has."""
    return compile_reader(catalogue.load(catalogue.paths[head]), _NESTED)


def _with_surrogate(event: Any) -> str:
    """The path of the text in the event that is no valid Unicode."""
    for field in fields(event):
        text = str(getattr(event, field.name))
        if text != text.encode(errors="ignore").decode():
            return f"$.{field.name}"
    return "$"
