"""The lines of an export at speed: byte for byte what `spelt(export_line(...))` gives.

For each kind of record a function is compiled that fills the names of a line, known and in order,
with what is in the event; user data goes in as it was recorded, if it is spelt canonically.
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
_KNOWN_MAX = 4096
_KNOWN_CHARS_MAX = 64
"""Names of steps, numbers and ids come again and again: half a megabyte of their spellings."""

_Line: TypeAlias = Callable[[Event, bytes, int | None, int | None], bytes]


class LineWriter:
    """Gives the line of one event after the other, line feed included."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._decode = codec.decode
        self._placed: dict[bytes, _Line] = {}
        self._unplaced: dict[bytes, _Line] = {}
        self._known: dict[str | int | None, bytes] = {}
        self._plain = b"null"
        self._names: dict[str, Any] = {
            "about": _about,
            "data": self._data,
            "encode": binascii.b2a_base64,
            "hexed": binascii.hexlify,
            "known": self._known.get,
            "source": _source,
            "spell": _spelled,
            "spell_often": self._often,
            "time": _time,
        }

    def line(self, value: bytes, partition: int | None = None, offset: int | None = None) -> bytes:
        """The line of the event; `CorruptLog` for what is none."""
        event = self._decode(value)
        known = self._unplaced if partition is None else self._placed
        write = known.get(value[_HEAD]) or self._compile(event, value, known)
        try:
            return write(event, value, partition, offset)
        except (_NotPlainError, orjson.JSONEncodeError):
            line = export_line(value, self._codec, partition=partition, offset=offset)
            return spelt(line) + b"\n"

    def _often(self, held: str | int | None) -> bytes:
        """What is not known yet; it is from now on."""
        spelled = _spelled(held)
        if len(spelled) <= _KNOWN_CHARS_MAX:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[held] = spelled
        return spelled

    def _data(self, held: bytes | None) -> bytes:
        """User data as it is; a gate often shows the very bytes that the step before it gave."""
        if held is None:
            return b"null"
        if held != self._plain:
            if not is_plainly_canonical(held):
                raise _NotPlainError
            self._plain = held
        return held

    def _compile(self, event: Event, value: bytes, known: dict[bytes, _Line]) -> _Line:
        if self._codec.encode(event)[_HEAD] != value[_HEAD]:
            return known.setdefault(value[_HEAD], _older)
        placed = known is self._placed
        fields = tuple(self._codec.written(value).fields)
        filled = dict(_sources(event, value, fields, placed=placed))
        line = ",".join(f'"{name}":%b' for name in sorted(filled))
        values = ", ".join(filled[name] for name in sorted(filled))
        template = f"{{{line}}}\n".encode()
        names = dict(self._names)
        code = f"def write(e, value, partition, offset): return {template!r} % ({values})"
        exec(code, names)  # noqa: S102 - of the names of our own schemas only
        made: _Line = names["write"]
        return known.setdefault(value[_HEAD], made)


class _NotPlainError(Exception):
    """A record that has to be looked at more closely."""


def _older(_: Event, __: bytes, ___: int | None, ____: int | None) -> bytes:
    """Of a schema whose fields are not those of today's event."""
    raise _NotPlainError


def _sources(
    event: Event, value: bytes, names: tuple[str, ...], *, placed: bool
) -> Iterator[tuple[str, str]]:
    """The expression behind each name of a line: its JSON as bytes."""
    yield "type", repr(_spelled(type(event).__name__))
    yield "schema", repr(_spelled(value[FINGERPRINT][::-1].hex()))
    yield "value", _quoted("encode(value, newline=False)")
    if placed:
        yield "partition", "spell(partition)"
        yield "offset", "spell(offset)"
    types = _types(type(event))
    for name in names:
        yield name, _expression(name, types[name]).format(f"e.{name}")


def _types(cls: type[Any]) -> Mapping[str, str]:
    """The annotations of the fields of an event, the envelope's included."""
    found: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        found |= get_annotations(each)
    return found


def _expression(name: str, annotation: str) -> str:
    if name in USER_DATA:
        return "data({0})"
    if name in _OFTEN:
        return "(known({0}) or spell_often({0}))"
    return _BY_TYPE.get(annotation, "spell({0})")


def _quoted(expression: str) -> str:
    return f"b'\"%b\"' % {expression}"


_OFTEN = frozenset(
    {
        *("attempt", "channel", "gate", "identity", "kind", "occurrence", "on_expiry"),
        *("pause_kind", "recipe", "reason", "resolution", "run_id", "seq", "step", "token_kid"),
        *("verdict", "version"),
    }
)
"""Texts and numbers (no truth values: 1 and true are one key) that many events have in common."""
_BY_TYPE = {
    "bytes": _quoted("hexed({0})"),
    "bytes | None": f"(b'null' if {{0}} is None else {_quoted('hexed({0})')})",
    "datetime": "time({0})",
    "datetime | None": "(b'null' if {0} is None else time({0}))",
    "Source | None": "source({0})",
    "About | None": "about({0})",
}
"""By annotation; all other fields are text, numbers or texts, which are JSON already."""


def _spelled(held: object) -> bytes:
    return orjson.dumps(held, option=orjson.OPT_STRICT_INTEGER)


def _time(at: datetime) -> bytes:
    """Where there are no microseconds orjson leaves them out."""
    return orjson.dumps(at if at.microsecond else iso(at), option=orjson.OPT_UTC_Z)


def _source(held: Source | None) -> bytes:
    if held is None:
        return b"null"
    return _spelled(
        {
            "offset": held.offset,
            "partition": held.partition,
            "timestamp_ms": held.timestamp_ms,
            "topic": held.topic,
        }
    )


def _about(held: About | None) -> bytes:
    return _spelled(held and {"occurrence": held.occurrence, "step": held.step})
