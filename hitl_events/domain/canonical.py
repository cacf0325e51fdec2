"""Canonical JSON (RFC 8785): the one spelling in which user data is recorded and digested."""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any, cast

import orjson
import rfc8785

from hitl_events.errors import NotSerialisable

INTEGER_MAX = 2**53 - 1
DEPTH_MAX = 64
"""Nesting of a recorded value: readers in other languages stop at 100 or so."""

_LITERALS = (str, bool, type(None))
NULL = b"null"
_LONG = re.compile(rb"[0-9]{16}")
"""2^53 has 16 digits."""


def dumps(value: Any) -> bytes:
    """Canonical bytes of a JSON value; `NotSerialisable` names the path of what is none."""
    plain = _check(value, "$", 0)
    try:
        # Without floats and with ASCII keys orjson spells as RFC 8785 does, in 0.2 us for 30.
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS) if plain else rfc8785.dumps(value)
    except (orjson.JSONEncodeError, UnicodeEncodeError, rfc8785.CanonicalizationError):
        raise NotSerialisable("$", "a lone surrogate, which is not valid Unicode") from None


def loads(data: bytes) -> Any:
    """The JSON value of recorded bytes; what was written comes back so that it can be again."""
    if _LONG.search(data):
        return json.loads(data, parse_int=_number)
    return orjson.loads(data)


def _number(digits: str) -> int | float:
    """RFC 8785 writes the float 1e16 with all its digits; no integer as large was ever recorded."""
    number = int(digits)
    return number if -INTEGER_MAX <= number <= INTEGER_MAX else float(digits)


def _check(value: Any, path: str, depth: int) -> bool:
    """True if the fast encoder is canonical for it; `NotSerialisable` at the first non-JSON."""
    kind = cast("Any", type(value))
    if kind in _LITERALS:
        return True
    if kind is int:
        if -INTEGER_MAX <= value <= INTEGER_MAX:
            return True
        raise NotSerialisable(path, "an integer beyond 2^53-1, which JSON readers round")
    if kind is float:
        if isfinite(value):
            return False
        raise NotSerialisable(path, f"the number {value}, which JSON has not")
    if depth >= DEPTH_MAX:
        raise NotSerialisable(path, f"nesting deeper than {DEPTH_MAX} (or a cycle)")
    if kind is dict:
        return _check_object(value, path, depth)
    if kind is list or kind is tuple:
        plain = True
        for index, item in enumerate(value):
            if type(item) not in _LITERALS:
                plain &= _check(item, f"{path}[{index}]", depth + 1)
        return plain
    raise NotSerialisable(path, f"a {kind.__module__}.{kind.__qualname__}")


def _check_object(value: dict[Any, Any], path: str, depth: int) -> bool:
    plain = True
    for key, item in value.items():
        if type(key) is not str:
            raise NotSerialisable(path, f"the key {key!r}, which is not a string")
        plain &= key.isascii()
        if type(item) not in _LITERALS:
            plain &= _check(item, f"{path}.{key}", depth + 1)
    return plain
