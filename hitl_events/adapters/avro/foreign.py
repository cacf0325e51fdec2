"""Reads records in schemas that others wrote, with nothing but the text of the schema.

Not by fastavro, which crashes the process on a deep record of a recursive schema and takes -1 as
the index of an enum or a union. Here a schema that could make much of few bytes is refused as a
whole (recursion, lists and records of nothing), and a length is held against what is left of the
record.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

from hitl_events.adapters.avro.primitives import read_varint
from hitl_events.domain.values import EPOCH, value
from hitl_events.errors import InvalidInput

Read: TypeAlias = Callable[[bytes, int], tuple[Any, int]]

DEPTH_MAX = 32
"""Types within types; recorded JSON ends at 64, and a reader is two Python frames for each."""
NODES_MAX = 2_000
"""Types in one schema: what one byte of a record can become at most (a record of nulls)."""
_UNITS = {
    "timestamp-millis": timedelta(milliseconds=1),
    "timestamp-micros": timedelta(microseconds=1),
}
_NAMED = ("record", "error", "enum", "fixed")


@value
class ForeignSchema:
    """A record type of somebody else: its full name, and a reader from (record, position)."""

    name: str
    read: Read


@value
class _Type:
    """How to read one type, and the fewest bytes that a value of it takes."""

    read: Read
    bytes_min: int


def foreign_schema(text: str) -> ForeignSchema:
    """The schema of that JSON text; `InvalidInput` says why no record of it can be read here.

    Its reader raises one of `UNREADABLE` on bytes that are no record of it.
    """
    try:
        schema = json.loads(text)
        if not isinstance(schema, dict) or schema.get("type") not in {"record", "error"}:
            raise InvalidInput("expected the schema of a record, found another type")
        compiler = _Compiler()
        read = compiler.of(schema, "", 0).read
        return ForeignSchema(name=_full_name(schema, ""), read=read)
    except RecursionError:
        raise InvalidInput(f"expected at most {DEPTH_MAX} types within types") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(f"expected an Avro schema, found {type(error).__name__}") from None


class _Compiler:
    """The types of one schema, by their full names; None for one that is not complete yet."""

    def __init__(self) -> None:
        self._names: dict[str, _Type | None] = {}
        self._nodes = 0

    def of(self, schema: Any, space: str, depth: int) -> _Type:
        """The type that stands there in the namespace."""
        self._nodes += 1
        if depth > DEPTH_MAX or self._nodes > NODES_MAX:
            raise InvalidInput(f"expected a schema of {NODES_MAX} types, {DEPTH_MAX} deep at most")
        match schema:
            case str():
                return _PRIMITIVES.get(schema) or self._known(schema, space)
            case list():
                return _union([self.of(branch, space, depth + 1) for branch in schema])
            case {"type": "array", "items": items}:
                return _array(self.of(items, space, depth + 1))
            case {"type": "map", "values": values}:
                return _map(self.of(values, space, depth + 1))
            case {"type": "long", "logicalType": "timestamp-millis" | "timestamp-micros" as unit}:
                return _Type(read=_time(_UNITS[unit]), bytes_min=1)
            case {"type": str() as kind} if kind in _NAMED:
                return self._define(schema, space, depth)
            case {"type": other}:
                return self.of(other, space, depth + 1)
            case _:
                raise InvalidInput("expected a type of Avro in the schema, found something else")

    def _known(self, name: str, space: str) -> _Type:
        full = name if "." in name or not space else f"{space}.{name}"
        found = self._names.get(full)
        if found is None:
            what = "a type within itself" if full in self._names else "a type that is not defined"
            raise InvalidInput(
                f"expected types that are defined before they are used, found {what}"
            )
        return found

    def _define(self, schema: Mapping[str, Any], space: str, depth: int) -> _Type:
        full = _full_name(schema, space)
        if full in self._names:
            raise InvalidInput("expected each name once in a schema, found one twice")
        self._names[full] = None
        match schema["type"]:
            case "enum":
                made = _enum(tuple(map(str, schema["symbols"])))
            case "fixed":
                made = _fixed(int(schema["size"]))
            case _:
                within = full.rpartition(".")[0]
                made = _record(
                    [
                        (str(field["name"]), self.of(field["type"], within, depth + 1))
                        for field in schema["fields"]
                    ]
                )
        self._names[full] = made
        return made


def _full_name(schema: Mapping[str, Any], space: str) -> str:
    name = str(schema["name"])
    within = schema.get("namespace", space)
    return name if "." in name or not within else f"{within}.{name}"


def _record(fields: Sequence[tuple[str, _Type]]) -> _Type:
    readers = [(name, field.read) for name, field in fields]

    def read(b: bytes, p: int) -> tuple[Any, int]:
        found = {}
        for name, field in readers:
            found[name], p = field(b, p)
        return found, p

    bytes_min = sum(field.bytes_min for _, field in fields)
    if bytes_min == 0:
        raise InvalidInput("expected records of something, found one that takes no bytes")
    return _Type(read=read, bytes_min=bytes_min)


def _union(branches: Sequence[_Type]) -> _Type:
    def read(b: bytes, p: int) -> tuple[Any, int]:
        index, p = _long(b, p)
        return branches[_index(index, len(branches))].read(b, p)

    if not branches:
        raise InvalidInput("expected a union of at least one type, found none")
    return _Type(read=read, bytes_min=1)


def _enum(symbols: Sequence[str]) -> _Type:
    def read(b: bytes, p: int) -> tuple[Any, int]:
        index, p = _long(b, p)
        return symbols[_index(index, len(symbols))], p

    return _Type(read=read, bytes_min=1)


def _fixed(size: int) -> _Type:
    def read(b: bytes, p: int) -> tuple[Any, int]:
        return _cut(b, p, size)

    if size < 1:
        raise InvalidInput(f"expected a fixed size of at least 1, found {size}")
    return _Type(read=read, bytes_min=size)


def _array(item: _Type) -> _Type:
    if item.bytes_min == 0:
        raise InvalidInput("expected lists of something, found one whose items take no bytes")

    def read(b: bytes, p: int) -> tuple[Any, int]:
        found: list[Any] = []
        count, p = _block(b, p)
        while count:
            for _ in range(count):
                one, p = item.read(b, p)
                found.append(one)
            count, p = _block(b, p)
        return found, p

    return _Type(read=read, bytes_min=1)


def _map(held: _Type) -> _Type:
    def read(b: bytes, p: int) -> tuple[Any, int]:
        found: dict[str, Any] = {}
        count, p = _block(b, p)
        while count:
            for _ in range(count):
                key, p = _string(b, p)
                if key in found:
                    raise ValueError("expected each key once in a map, found one twice")
                found[key], p = held.read(b, p)
            count, p = _block(b, p)
        return found, p

    return _Type(read=read, bytes_min=1)


def _block(b: bytes, p: int) -> tuple[int, int]:
    """How many items follow; a negative count is followed by the size of the block in bytes."""
    count, p = _long(b, p)
    if count < 0:
        count, (_, p) = -count, _long(b, p)
    if count > len(b) - p:
        raise ValueError(f"expected at most {len(b) - p} items, found a count of {count}")
    return count, p


def _time(unit: timedelta) -> Read:
    def read(b: bytes, p: int) -> tuple[Any, int]:
        number, p = _long(b, p)
        return EPOCH + number * unit, p

    return read


def _long(b: bytes, p: int) -> tuple[int, int]:
    zigzag, p = read_varint(b, p, 64)
    return zigzag >> 1 ^ -(zigzag & 1), p


def _int(b: bytes, p: int) -> tuple[int, int]:
    zigzag, p = read_varint(b, p, 32)
    return zigzag >> 1 ^ -(zigzag & 1), p


def _bytes(b: bytes, p: int) -> tuple[bytes, int]:
    size, p = _long(b, p)
    return _cut(b, p, size)


def _string(b: bytes, p: int) -> tuple[str, int]:
    raw, p = _bytes(b, p)
    return raw.decode(), p


def _boolean(b: bytes, p: int) -> tuple[bool, int]:
    return bool(_index(b[p], 2)), p + 1


def _null(b: bytes, p: int) -> tuple[None, int]:  # noqa: ARG001 - as all readers
    return None, p


def _float(b: bytes, p: int) -> tuple[float, int]:
    raw, p = _cut(b, p, 4)
    return struct.unpack("<f", raw)[0], p


def _double(b: bytes, p: int) -> tuple[float, int]:
    raw, p = _cut(b, p, 8)
    return struct.unpack("<d", raw)[0], p


def _cut(b: bytes, p: int, size: int) -> tuple[bytes, int]:
    if not 0 <= size <= len(b) - p:
        raise ValueError(f"expected at most {len(b) - p} bytes, found a length of {size}")
    return b[p : p + size], p + size


def _index(found: int, count: int) -> int:
    if not 0 <= found < count:
        raise ValueError(f"expected an index below {count}, found {found}")
    return found


_PRIMITIVES: dict[str, _Type] = {
    "null": _Type(read=_null, bytes_min=0),
    "boolean": _Type(read=_boolean, bytes_min=1),
    "int": _Type(read=_int, bytes_min=1),
    "long": _Type(read=_long, bytes_min=1),
    "float": _Type(read=_float, bytes_min=4),
    "double": _Type(read=_double, bytes_min=8),
    "bytes": _Type(read=_bytes, bytes_min=1),
    "string": _Type(read=_string, bytes_min=1),
}
