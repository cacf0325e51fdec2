"""Record headers as one text column, readable with any SQLite tool. Pure."""

from __future__ import annotations

import json

from hitl_events.ports import Headers


def encode(headers: Headers) -> str:
    """JSON pairs; each byte of a value is one character (Latin-1), so that any bytes come back."""
    return json.dumps([[name, value.decode("latin-1")] for name, value in headers])


def decode(text: str) -> Headers:
    """The headers, in their order; ValueError or TypeError for what is none."""
    return tuple((str(name), value.encode("latin-1")) for name, value in json.loads(text))


def plain_text(text: str) -> str:
    """A text that SQLite can hold: a lone surrogate (JSON can carry one) becomes its escape."""
    return text.encode("utf-8", "backslashreplace").decode()
