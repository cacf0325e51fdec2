"""In what a line of an exported file is not what it has to be, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from hitl_events.audit.export import USER_DATA

_SHOWN_CHARS_MAX = 80
_NOT_SHOWN = USER_DATA | {"notes", "value"}
"""Long or private: an error message is no place for them."""
_ABSENT = object()


def event_differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Which fields of a line are not what its record says."""
    said = "; ".join(_fields(expected, found))
    return said or "expected canonical JSON (RFC 8785, each name once), found another spelling"


def end_differences(
    expected: Mapping[str, Any], found: Mapping[str, Any]
) -> Iterator[tuple[str | None, str]]:
    """What the End line says otherwise than the lines before it, with the run it is about."""
    count = 0
    rest = {name: held for name, held in expected.items() if name != "heads"}
    found_rest = {name: held for name, held in found.items() if name != "heads"}
    for problem in _fields(rest, found_rest):
        count += 1
        yield None, f"the End line differs from the lines before it: {problem}"
    for run_id, problem in _heads(expected["heads"], found.get("heads")):
        count += 1
        yield run_id, f"the End line differs from the lines before it: {problem}"
    if count == 0:
        yield None, "expected the End line in its one spelling, found another"


def is_object(held: object) -> TypeGuard[dict[str, Any]]:
    """True for what a JSON object is read as."""
    return isinstance(held, dict)


def _fields(expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*expected, *found}):
        right, held = expected.get(name, _ABSENT), found.get(name, _ABSENT)
        if right is _ABSENT:
            yield f"expected no field {name[:_SHOWN_CHARS_MAX]!r}, found one"
        elif held is _ABSENT:
            yield f"expected a field {name!r}, found none"
        elif type(held) is not type(right) or held != right:
            yield _said(name, right, held)


def _said(name: str, right: object, held: object) -> str:
    if name in _NOT_SHOWN:
        return f"expected {name!r} to be what the record says, found something else"
    return f"expected {name!r} to be {_shown(right)}, found {_shown(held)}"


def _shown(held: object) -> str:
    text = repr(held)
    return text if len(text) <= _SHOWN_CHARS_MAX else text[:_SHOWN_CHARS_MAX] + "..."


def _heads(expected: Mapping[str, Any], found: object) -> Iterator[tuple[str | None, str]]:
    if not is_object(found):
        yield None, "expected an object of heads, found none"
        return
    for run_id in expected:
        if run_id not in found:
            yield run_id, "expected the run's head there, found none"
        elif found[run_id] != expected[run_id]:
            yield (
                run_id,
                f"expected its head to be {expected[run_id]}, found {_shown(found[run_id])}",
            )
    for run_id in found:
        if run_id not in expected:
            yield run_id, "expected lines of this run, found none"
    moved = next((pair for pair in zip(expected, found, strict=False) if len(set(pair)) > 1), None)
    if moved is not None and expected.keys() == found.keys():
        yield moved[0], f"expected run {moved[1]!r} in this place, found this one"
