"""JSON from strangers: only what readers in all languages take for the same value (RFC 7493)."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, NoReturn

from hitl_events.adapters.inbound.refused import Unfit, shown
from hitl_events.domain.canonical import DEPTH_MAX, INTEGER_MAX, dumps
from hitl_events.errors import NotSerialisable

_INTEGER_CHARS_MAX = len(str(-INTEGER_MAX))
_AROUND = 2
"""A record, and the structured CloudEvent that it may come in."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(data: bytes) -> Any:
    """The value; `Unfit` (unreadable) for what is not UTF-8, not JSON, or not the same for all.

    That is: NaN and infinities, integers beyond 2^53-1, a name twice in one object, lone surrogates
    and nesting deeper than 64, not counting what may stand around the data of users (which are held
    to their own bound where they are taken).
    """
    try:
        text = data.decode()
        value = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise _unreadable(f"expected UTF-8, found a wrong byte at {error.start}") from None
    except json.JSONDecodeError as error:
        raise _unreadable(f"expected JSON, found at character {error.pos}: {error.msg}") from None
    except RecursionError:
        raise _unreadable(f"expected nesting of at most {DEPTH_MAX}, found far more") from None
    # Both checks walk the whole value, so they are left to the rare text that can fail them.
    if text.count("{") + text.count("[") > DEPTH_MAX or _SURROGATE.search(text):
        canonical(value, around=_AROUND)
    return value


def canonical(value: Any, *, around: int = 0) -> bytes:
    """The bytes in which a parsed value is recorded."""
    try:
        return dumps(value, around=around)
    except NotSerialisable as error:
        raise _unreadable(f"expected JSON that can be recorded, found {error.problem}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counted = Counter(name for name, _ in pairs)
        twice = shown(counted.most_common(1)[0][0])
        raise _unreadable(f"expected each name once in an object, found twice: {twice}")
    return found


def _integer(digits: str) -> int:
    if len(digits) <= _INTEGER_CHARS_MAX:
        number = int(digits)
        if -INTEGER_MAX <= number <= INTEGER_MAX:
            return number
    raise _unreadable("expected integers up to 2^53-1, found a larger one: send it as text")


def _constant(name: str) -> NoReturn:
    raise _unreadable(f"expected JSON, found {name}, which JSON has not")


def _float(digits: str) -> float:
    number = float(digits)
    if number in {float("inf"), float("-inf")}:
        raise _unreadable("expected numbers that fit 64-bit floats, found a larger one")
    return number


def _unreadable(message: str) -> Unfit:
    return Unfit("unreadable", message)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_float,
    parse_constant=_constant,
)
