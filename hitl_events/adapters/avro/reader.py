"""Compiles a schema into a function that reads a record, by the source one would write by hand.

It takes one spelling only (shortest numbers, one block to an array), so that what was read encodes
to the same bytes. Lengths need no check of their own: a slice never reads past the end, and whoever
calls the function compares where it ended with the length of the record. So a length in hostile
bytes allocates nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, TypeAlias

from hitl_events.adapters.avro.primitives import READING
from hitl_events.adapters.avro.schemas import Schema
from hitl_events.adapters.avro.upcasters import Upcaster
from hitl_events.errors import InvalidInput

Reader: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
Classes: TypeAlias = Mapping[str, type]

UNREADABLE = (IndexError, ValueError, OverflowError)
"""All that a reader raises on bytes that are no record of its schema."""


def compile_reader(schema: Schema, classes: Classes) -> Reader:
    """A function from (record, position) to (value, end).

    A record whose name is in `classes` becomes one of that class, another one a dict. What the
    class has and an older schema has not gets its default.
    """
    names: dict[str, Any] = {**READING, **classes}
    source = _Source(classes).of(schema)
    exec(source, names)  # noqa: S102 - the source is made from our own schemas only
    read: Reader = names[f"read_{schema['name']}"]
    return read


def upcast(read: Reader, chain: Sequence[Upcaster], cls: type) -> Reader:
    """A reader of that class from one of its fields as they were written, through the chain."""

    def read_upcast(b: bytes, p: int) -> tuple[Any, int]:
        fields_, end = read(b, p)
        try:
            for each in chain:
                fields_ = each(fields_)
            return cls(**fields_), end
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # the bytes are no such event, or an upcaster is wrong: the log can not be read
            name = type(error).__name__
            raise InvalidInput(f"a {name} in the upcasters of {cls.__name__}") from error

    return read_upcast


class _Source:
    """The source of the functions of one schema, nested records first."""

    def __init__(self, classes: Classes) -> None:
        self._classes = classes
        self._space = ""
        self._fixed: dict[str, int] = {}
        self._functions: list[str] = []

    def of(self, schema: Schema) -> str:
        self._space = schema.get("namespace", "")
        self._function(schema)
        return "\n".join(self._functions)

    def _function(self, schema: Schema) -> None:
        name = schema["name"]
        cls = self._classes.get(name)
        # Slots set one by one take a third of the time of __init__, which does no more than that.
        lines = ["e = {}" if cls is None else f"e = new({name})"]
        for field in schema["fields"]:
            target = f"e[{field['name']!r}]" if cls is None else f"e.{field['name']}"
            lines.append(self._read(field["type"], target))
        lines += _defaults(cls, {field["name"] for field in schema["fields"]})
        self._functions.append(f"def read_{name}(b, p):{_block(*lines, 'return e, p')}\n")

    def _read(self, kind: Any, target: str) -> str:
        """Statements that set the target from the bytes at `p` and move `p` behind them."""
        match kind:
            case "string":
                return f"{_LENGTH}\n{target} = b[p:(p := p + (n >> 1))].decode()"
            case "bytes":
                return f"{_LENGTH}\n{target} = b[p:(p := p + (n >> 1))]"
            case "long" | "int":
                return f"{_NUMBER[kind]}\n{target} = n >> 1 ^ -(n & 1)"
            case {"logicalType": "timestamp-micros"}:
                return _TIME.format(target=target)
            case {"type": "array", "items": "string"}:
                return f"{target}, p = strings(b, p)"
            case {"type": "array", "items": "bytes"}:
                return f"{target}, p = items(b, p, blob)"
            case {"type": "array", "items": {"type": "record", "name": name} as item}:
                self._function(item)
                return f"{target}, p = items(b, p, read_{name})"
            case "boolean":
                return f"{target}, p = boolean(b, p)"
            case ["null", other]:
                return _NULLABLE.format(target=target, some=_block(self._read(other, target)))
            case {"type": "record", "name": name}:
                self._function(kind)
                return f"{target}, p = read_{name}(b, p)"
            case {"type": "fixed", "name": name, "size": size}:
                self._fixed[f"{self._space}.{name}"] = size
                return f"{target} = b[p:(p := p + {size})]"
            case str() if kind in self._fixed:
                return f"{target} = b[p:(p := p + {self._fixed[kind]})]"
            case _:
                raise InvalidInput(f"expected a type that events have, found {kind!r} in a schema")


_LENGTH = """\
n = b[p]
p += 1
if n & 129: n, p = length(b, p - 1)"""
_NUMBER = {
    "long": "n = b[p]\np += 1\nif n > 127: n, p = varint(b, p - 1, 64)",
    "int": "n = b[p]\np += 1\nif n > 127: n, p = varint(b, p - 1, 32)",
}
_TIME = """\
{target} = time(b[p:p + 8])
if {target} is None: {target}, p = any_time(b, p)
else: p += 8"""
_NULLABLE = """\
n = b[p]
p += 1
if n == 0: {target} = None
elif n == 2:{some}
else: branch(n)"""


def _block(*statements: str) -> str:
    return "".join("\n" + each for each in statements).replace("\n", "\n    ")


def _defaults(cls: type | None, known: set[str]) -> list[str]:
    """What a schema older than the class does not have."""
    lines: list[str] = []
    for field in [] if cls is None else fields(cls):
        if field.name not in known:
            if field.default is MISSING:
                raise InvalidInput(f"expected a default of {field.name}, which older records lack")
            lines.append(f"e.{field.name} = {field.default!r}")
    return lines
