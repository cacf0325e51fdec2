"""The lines of an export at speed: byte for byte what `spelt(export_line(...))` gives.

For each kind of record a function is compiled that lays its fields out in the order of a line and
has orjson spell them at once; user data goes in as it was recorded, if it is spelt canonically.
Whatever is not plain takes the slow way, which also says what is wrong with it.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from inspect import get_annotations
from typing import Any, TypeAlias

import orjson

from hitl_events.audit.export import FINGERPRINT, USER_DATA, export_line, spelt
from hitl_events.domain.canonical import is_plainly_canonical
from hitl_events.domain.events import About, Event, Source
from hitl_events.domain.values import iso
from hitl_events.ports import Codec

_HEAD = slice(0, 10)
_OPTIONS = orjson.OPT_STRICT_INTEGER | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE

_Fields: TypeAlias = Callable[[Event, bytes, int | None, int | None], dict[str, Any]]


class LineWriter:
    """Gives the line of one event after the other, line feed included."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._decode = codec.decode
        self._placed: dict[bytes, _Fields] = {}
        self._unplaced: dict[bytes, _Fields] = {}
        self._names: dict[str, Any] = {
            "about": _about,
            "data": self._data,
            "encode": binascii.b2a_base64,
            "source": _source,
            "time": _time,
        }
        self._plain = b"null"

    def line(self, value: bytes, partition: int | None = None, offset: int | None = None) -> bytes:
        """The line of the event; `CorruptLog` for what is none."""
        event = self._decode(value)
        known = self._unplaced if partition is None else self._placed
        fields = known.get(value[_HEAD]) or self._compile(event, value, known)
        try:
            return orjson.dumps(fields(event, value, partition, offset), option=_OPTIONS)
        except (_NotPlainError, orjson.JSONEncodeError):
            line = export_line(value, self._codec, partition=partition, offset=offset)
            return spelt(line) + b"\n"

    def _data(self, held: bytes | None) -> orjson.Fragment | None:
        """User data as it is; a gate often shows the very bytes that the step before it gave."""
        if held is None:
            return None
        if held != self._plain:
            if not is_plainly_canonical(held):
                raise _NotPlainError
            self._plain = held
        return orjson.Fragment(held)

    def _compile(self, event: Event, value: bytes, known: dict[bytes, _Fields]) -> _Fields:
        if self._codec.encode(event)[_HEAD] != value[_HEAD]:
            return known.setdefault(value[_HEAD], _older)
        placed = known is self._placed
        names_ = tuple(self._codec.written(value).fields)
        fields = dict(_sources(event, value, names_, placed=placed))
        members = ", ".join(f"{name!r}: {fields[name]}" for name in sorted(fields))
        names = dict(self._names)
        code = f"def fields(e, value, partition, offset): return {{{members}}}"
        exec(code, names)  # noqa: S102 - of the names of our own schemas only
        made: _Fields = names["fields"]
        return known.setdefault(value[_HEAD], made)


class _NotPlainError(Exception):
    """A record that has to be looked at more closely."""


def _older(_: Event, __: bytes, ___: int | None, ____: int | None) -> dict[str, Any]:
    """Of a schema whose fields are not those of today's event."""
    raise _NotPlainError


def _sources(
    event: Event, value: bytes, names: tuple[str, ...], *, placed: bool
) -> Iterator[tuple[str, str]]:
    """The expression behind each name of a line."""
    yield "type", repr(type(event).__name__)
    yield "schema", repr(value[FINGERPRINT][::-1].hex())
    yield "value", "encode(value, newline=False).decode()"
    if placed:
        yield "partition", "partition"
        yield "offset", "offset"
    types: Mapping[str, str] = _types(type(event))
    for name in names:
        yield name, _EXPRESSIONS.get(_kind(name, types[name]), "e.{0}").format(name)


def _types(cls: type[Any]) -> dict[str, str]:
    """The annotations of the fields of an event, the envelope's included."""
    found: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        found |= get_annotations(each)
    return found


def _kind(name: str, annotation: str) -> str:
    return "data" if name in USER_DATA else annotation


_EXPRESSIONS = {
    "data": "data(e.{0})",
    "bytes": "e.{0}.hex()",
    "bytes | None": "None if e.{0} is None else e.{0}.hex()",
    "datetime": "time(e.{0})",
    "datetime | None": "None if e.{0} is None else time(e.{0})",
    "Source | None": "source(e.{0})",
    "About | None": "about(e.{0})",
}
"""By annotation; all other fields are text, numbers or texts, which are JSON already."""


def _time(at: datetime) -> datetime | str:
    """Where there are no microseconds orjson leaves them out."""
    return at if at.microsecond else iso(at)


def _source(held: Source | None) -> dict[str, Any] | None:
    if held is None:
        return None
    return {
        "offset": held.offset,
        "partition": held.partition,
        "timestamp_ms": held.timestamp_ms,
        "topic": held.topic,
    }


def _about(held: About | None) -> dict[str, Any] | None:
    return None if held is None else {"occurrence": held.occurrence, "step": held.step}
