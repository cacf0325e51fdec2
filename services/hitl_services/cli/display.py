"""JSON values of users as lines for people, bounded and harmless. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import cast

from hitl_services.text import cut, harmless, harmless_lines

_INDENT = "  "
_TEXT_LINES_MAX = 2000


def summary(held: object, *, width: int, lines_max: int) -> list[str]:
    """The first lines of a value, each cut to `width`: enough to know what it is about.

    A text among others gets a part of the lines only, so that it does not hide them.
    """
    share = lines_max if isinstance(held, str) else max(lines_max // 2 - 1, 1)
    return bounded(list(_lines(held, text_lines_max=share)), width=width, lines_max=lines_max)


def bounded(lines: list[str], *, width: int, lines_max: int) -> list[str]:
    """At most `lines_max` lines; the last says how many were left out."""
    if len(lines) > lines_max:
        left_out = len(lines) - lines_max + 1
        lines = [*lines[: lines_max - 1], f"… {left_out} more lines"]
    return [cut(line, width) for line in lines]


def in_a_line(held: object, width: int | None) -> str:
    """A value in one line, cut where there is a width."""
    line = "; ".join(line.strip() for line in _lines(held, text_lines_max=3))
    return line if width is None else cut(line, width)


def _lines(held: object, *, text_lines_max: int = _TEXT_LINES_MAX) -> Iterator[str]:
    if isinstance(held, dict):
        yield from _members(cast("dict[str, object]", held), text_lines_max)
    elif isinstance(held, list):
        yield from _items(cast("list[object]", held), text_lines_max)
    elif isinstance(held, str):
        yield from _text(held, text_lines_max)
    else:
        yield "-" if held is None else json.dumps(held)


def _members(held: dict[str, object], text_lines_max: int) -> Iterator[str]:
    if not held:
        yield "(empty)"
    for name, entry in held.items():
        lines = list(_lines(entry, text_lines_max=text_lines_max))
        label = harmless(name)
        if len(lines) == 1 and not (isinstance(entry, dict | list) and entry):
            yield f"{label}: {lines[0]}"
            continue
        yield f"{label}:"
        yield from (_INDENT + line for line in lines)


def _items(held: list[object], text_lines_max: int) -> Iterator[str]:
    if not held:
        yield "(empty)"
    for entry in held:
        mark = "- "
        for line in _lines(entry, text_lines_max=text_lines_max):
            yield mark + line
            mark = _INDENT


def _text(text: str, lines_max: int) -> Iterator[str]:
    lines = harmless_lines(text.strip("\n"))
    left_out = len(lines) - lines_max
    if left_out > 0 and lines_max == 1:
        yield f"{lines[0]} … {left_out} more {'line' if left_out == 1 else 'lines'}"
        return
    yield from lines[:lines_max]
    if left_out > 0:
        yield f"… {left_out} more {'line' if left_out == 1 else 'lines'}"
