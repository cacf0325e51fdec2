"""JSON values of users as markup that people read: members by name, texts with their line ends."""

from __future__ import annotations

import json
from typing import cast

from hitl_events.domain.references import plain, shown
from hitl_services.reports.markup import escaped, escaped_json, escaped_lines


def readable(held: object) -> str:
    """The value; a text is plain, what is none is set apart (`3` is a number, 3 may be a text)."""
    match held:
        case str():
            return escaped_lines(held) or '<span class="dim">(an empty text)</span>'
        case dict():
            return _members(cast("dict[str, object]", held))
        case list():
            return _items(cast("list[object]", held))
        case _:
            return f"<code>{json.dumps(held)}</code>"


def exact(data: bytes, title: str) -> str:
    """The recorded bytes, folded away: what a digest was taken of."""
    text = escaped_json(plain(data))
    return f"<details><summary>{title}</summary><pre>{text}</pre></details>\n"


def recorded(data: bytes) -> str:
    """Recorded JSON to read, and its bytes where they say more than that."""
    as_recorded = exact(data, "as recorded") if data[:1] in {b"{", b"["} else ""
    return f"<div>{readable(shown(data))}</div>\n{as_recorded}"


def _members(held: dict[str, object]) -> str:
    if not held:
        return "<code>{}</code>"
    rows = (f"<dt>{escaped(name)}</dt><dd>{readable(each)}</dd>" for name, each in held.items())
    return f"<dl>{''.join(rows)}</dl>"


def _items(held: list[object]) -> str:
    if not held:
        return "<code>[]</code>"
    return f"<ol>{''.join(f'<li>{readable(each)}</li>' for each in held)}</ol>"
