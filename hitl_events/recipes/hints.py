"""The annotations of users' functions, resolved to types."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any

_FUNCTIONS_CACHED = 4096
_UNRESOLVED = (NameError, TypeError, AttributeError, SyntaxError)


def hints(function: Callable[..., Any]) -> dict[str, Any]:
    """By parameter, `return` among them; those that can not be resolved count as not given."""
    try:
        return _cached(function)
    except TypeError:
        return _found(function)  # a callable that can not be hashed


def _found(function: Callable[..., Any]) -> dict[str, Any]:
    target: Any = function
    while isinstance(target, partial):
        target = target.func
    is_written = isinstance(target, type) or inspect.isroutine(target)
    if not is_written and "__annotations__" not in getattr(target, "__dict__", ()):
        target = type(target).__call__  # an object: what it shows of its class are fields
    try:
        return typing.get_type_hints(target)
    except _UNRESOLVED:
        return _resolvable(target)


def _resolvable(target: Any) -> dict[str, Any]:
    """One by one: `Run` is often a name for type checkers alone, and the input's type is not."""
    names = getattr(inspect.unwrap(target), "__globals__", {})
    found: dict[str, Any] = {}
    for name, annotation in getattr(target, "__annotations__", {}).items():
        with suppress(*_UNRESOLVED):
            alone = SimpleNamespace(__annotations__={name: annotation})
            found |= typing.get_type_hints(alone, names)
    return found


_cached = lru_cache(_FUNCTIONS_CACHED)(_found)
