"""What changes with the code of a recipe: a run that it blocked is then tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from types import CodeType
from typing import Any, cast

from hitl_events.recipes.plan import Plan

_HEX_DIGITS = 16


def fingerprint_of(plan: Plan, functions: Iterable[Callable[..., Any]]) -> str:
    """The graph and the code of these functions; not that of what they call or close over."""
    found = sha256(repr(plan.to_json()).encode())
    for function in functions:
        _add_code(found, getattr(function, "__code__", None))
    return found.hexdigest()[:_HEX_DIGITS]


def _add_code(found: Any, code: CodeType | None) -> None:
    if code is None:
        return
    found.update(code.co_code)
    found.update(repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _add_code(found, constant)
        elif isinstance(constant, frozenset):  # in each process it has another order
            members = cast("frozenset[object]", constant)
            found.update(repr(sorted(map(repr, members))).encode())
        else:
            found.update(repr(constant).encode())
