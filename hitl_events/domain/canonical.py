"""Canonical JSON (RFC 8785): the one spelling in which user data is recorded and digested."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from math import isfinite
from typing import Any

import orjson
import rfc8785

from hitl_events.errors import NotSerialisable

INTEGER_MAX = 2**53 - 1
DEPTH_MAX = 64
"""Nesting of a recorded value: readers in other languages stop at 100 or so."""

_LITERALS = frozenset({str, bool, type(None)})
NULL = b"null"
_LONG = b"0" * 16
"""2^53 has 16 digits."""
_DIGITS_AS_0 = bytes(ord("0") if byte in b"0123456789" else ord("x") for byte in range(256))
"""So that a search for zeros finds any number as long, in a fifth of the time of a pattern."""
_SHAPE = bytes.maketrans(b"123456789.{", b"000000000e[")
"""So that one search finds a float (digit and point, or digit and e), one any opening bracket."""
_FAR = re.compile(b"[\xee-\xff]")
"""First byte of U+E000 and all beyond, among which the two orders of keys differ."""


def dumps(value: Any, *, around: int = 0) -> bytes:
    """Canonical bytes of a JSON value; `NotSerialisable` names the path of what is none.

    `around` are the levels that we ourselves have put around what is bounded.
    """
    kind = _type_of(value)
    plain = kind in _LITERALS or _CHECKS.get(kind, _refuse)(value, -around)
    try:
        # Without floats and with ASCII keys orjson spells as RFC 8785 does, in 0.2 us for 30.
        # What it returns keeps 4 KiB for however little (3.13), so a copy is what can be held.
        if plain:
            return b"".join((orjson.dumps(value, option=orjson.OPT_SORT_KEYS), b""))
        return rfc8785.dumps(value)
    except (orjson.JSONEncodeError, UnicodeEncodeError, rfc8785.CanonicalizationError):
        raise NotSerialisable("$", "a lone surrogate, which is not valid Unicode") from None


def loads(data: bytes) -> Any:
    """The JSON value of recorded bytes; what was written comes back so that it can be again."""
    if _LONG in data.translate(_DIGITS_AS_0):
        return json.loads(data, parse_int=_number)
    return orjson.loads(data)


def is_plainly_canonical(data: bytes) -> bool:
    """True only for bytes that `dumps` would write; False where that takes a closer look.

    Without floats, long numbers, deep nesting and letters that UTF-8 and UTF-16 sort differently,
    what orjson writes again is canonical: so nothing is walked through in Python.
    """
    shape = data.translate(_SHAPE)
    if b"0e" in shape or _LONG in shape or shape.count(b"[") > DEPTH_MAX:
        return False  # a text may look so too, and is none the worse for it
    if not data.isascii() and _FAR.search(data):
        return False
    try:
        return orjson.dumps(orjson.loads(data), option=orjson.OPT_SORT_KEYS) == data
    except ValueError:
        return False


def _number(digits: str) -> int | float:
    """RFC 8785 writes the float 1e16 with all its digits; no integer as large was ever recorded."""
    number = int(digits)
    return number if -INTEGER_MAX <= number <= INTEGER_MAX else float(digits)


# Each check is True if the fast encoder is canonical for the value; `NotSerialisable` at the first
# non-JSON. Containers look checks up themselves: one call for each number and container, no more.


def _check_integer(value: int, _depth: int) -> bool:
    if -INTEGER_MAX <= value <= INTEGER_MAX:
        return True
    raise NotSerialisable("$", "an integer beyond 2^53-1, which JSON readers round")


def _check_float(value: float, _depth: int) -> bool:
    if isfinite(value):
        return False
    raise NotSerialisable("$", f"the number {value}, which JSON has not")


def _check_object(value: dict[Any, Any], depth: int) -> bool:
    if depth >= DEPTH_MAX:
        raise _too_deep()
    plain = True
    for key, item in value.items():
        if type(key) is not str:
            raise NotSerialisable("$", f"the key {key!r}, which is not a string")
        plain &= key.isascii()
        kind = _type_of(item)
        if kind not in _LITERALS:
            try:
                plain &= _CHECKS.get(kind, _refuse)(item, depth + 1)
            except NotSerialisable as error:
                raise NotSerialisable(f"$.{key}{error.path[1:]}", error.problem) from None
    return plain


def _check_list(value: list[Any] | tuple[Any, ...], depth: int) -> bool:
    if depth >= DEPTH_MAX:
        raise _too_deep()
    plain = True
    for index, item in enumerate(value):
        kind = _type_of(item)
        if kind not in _LITERALS:
            try:
                plain &= _CHECKS.get(kind, _refuse)(item, depth + 1)
            except NotSerialisable as error:
                raise NotSerialisable(f"$[{index}]{error.path[1:]}", error.problem) from None
    return plain


def _too_deep() -> NotSerialisable:
    return NotSerialisable("$", f"nesting deeper than {DEPTH_MAX} (or a cycle)")


def _refuse(value: object, _depth: int) -> bool:
    kind = value.__class__
    raise NotSerialisable("$", f"a {kind.__module__}.{kind.__qualname__}")


_type_of: Callable[[Any], Any] = type
"""`type` as type checkers do not follow it: they would narrow to partly unknown containers."""
_CHECKS: dict[Any, Callable[[Any, int], bool]] = {
    int: _check_integer,
    float: _check_float,
    dict: _check_object,
    list: _check_list,
    tuple: _check_list,
}
"""By exact type: what derives from these may not behave like them."""
