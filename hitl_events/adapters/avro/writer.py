"""Compiles a schema into a function that writes an event, by the source one would write by hand.

One tuple, one join: every field gives one or two pieces of bytes. The names in the source are those
of our own schemas; nothing of a record ever reaches it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from hitl_events.adapters.avro.primitives import SHORT, WRITING
from hitl_events.adapters.avro.schemas import Schema
from hitl_events.errors import InvalidInput

Writer: TypeAlias = Callable[[Any], bytes]


def compile_writer(schema: Schema, head: bytes) -> Writer:
    """A function from an event to its whole record, `head` first.

    It raises `InvalidInput` for a number or digest that does not fit and `UnicodeEncodeError` for
    text with a lone surrogate.
    """
    names: dict[str, Any] = {**WRITING, "head": head}
    exec(_Source().of(schema), names)  # noqa: S102 - the source is made from our own schemas only
    write: Writer = names["write"]
    return write


class _Source:
    """The source of the functions of one schema, nested records first."""

    def __init__(self) -> None:
        self._space = ""
        self._fixed: dict[str, int] = {}
        self._functions: list[str] = []

    def of(self, schema: Schema) -> str:
        self._space = schema.get("namespace", "")
        self._function(schema, "write", ["head"])
        return "\n".join(self._functions)

    def _function(self, schema: Schema, name: str, first: list[str]) -> None:
        pieces = list(first)
        for field in schema["fields"]:
            pieces += self._pieces(field["type"], f"e.{field['name']}")
        lines = "".join(f"        {piece},\n" for piece in pieces)
        self._functions.append(f"def {name}(e):\n    return join((\n{lines}    ))\n")

    def _pieces(self, kind: Any, value: str) -> list[str]:
        """Expressions, evaluated from left to right, that give the bytes of the value."""
        match kind:
            case "string":
                return [_length(f"{value}.encode()"), "v"]
            case "bytes":
                return [_length(value), "v"]
            case "long" | "int":
                return [f"(short[v] if 0 <= (v := {value}) < {SHORT} else {kind}(v))"]
            case {"logicalType": "timestamp-micros"}:
                return [f"time({value})"]
            case {"type": "array", "items": "string"}:
                return [f"strings({value})"]
            case {"type": "array", "items": "bytes"}:
                return [f"items({value}, blob)"]
            case {"type": "array", "items": {"type": "record", "name": name} as item}:
                self._function(item, f"write_{name}", [])
                return [f"items({value}, write_{name})"]
            case "boolean":
                return [f"(b'\\1' if {value} else b'\\0')"]
            case ["null", other]:
                some = " + ".join(self._pieces(other, "v"))
                return [f"(b'\\0' if (v := {value}) is None else b'\\2' + {some})"]
            case {"type": "record", "name": name}:
                self._function(kind, f"write_{name}", [])
                return [f"write_{name}({value})"]
            case {"type": "fixed", "name": name, "size": size}:
                self._fixed[f"{self._space}.{name}"] = size
                return [f"(v if len(v := {value}) == {size} else unfit({size}, v))"]
            case str() if kind in self._fixed:
                size = self._fixed[kind]
                return [f"(v if len(v := {value}) == {size} else unfit({size}, v))"]
            case _:
                raise InvalidInput(f"expected a type that events have, found {kind!r} in a schema")


def _length(value: str) -> str:
    return f"(short[n] if (n := len(v := {value})) < {SHORT} else long(n))"
