"""Dead letters as lines and as JSON; wherever they are kept."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeAlias

from hitl_events.domain.values import iso
from hitl_events.ports import DeadLetter
from hitl_services.cli.screen import Line
from hitl_services.cli.tables import columns, laid_out
from hitl_services.text import age, clock, harmless, harmless_lines, without_tokens

Number: TypeAlias = int | str
"""By which one is named: counted, or `PARTITION:OFFSET` in a topic."""


def as_json(number: Number, letter: DeadLetter, value_bytes: int | None = None) -> dict[str, Any]:
    """An entry of the list."""
    source = letter.source
    return {
        "number": number,
        "reason": letter.reason,
        "message": without_tokens(letter.message),
        "recorded_at": iso(letter.recorded_at),
        "source": None if source is None else asdict(source),
        "bytes": len(letter.value) if value_bytes is None else value_bytes,
    }


def whole_as_json(number: Number, letter: DeadLetter) -> dict[str, Any]:
    """One with all that it says."""
    value = {"value": _text(letter.value), "value_base64": _base64(letter.value)}
    headers = [[name, held.decode("utf-8", "replace")] for name, held in letter.headers]
    return as_json(number, letter) | value | {"headers": headers}


def table(
    letters: Sequence[tuple[Number, DeadLetter]], now: datetime, width: int
) -> Iterator[Line]:
    """A line for each."""
    head = ("NUMBER", "REASON", "AGE", "MESSAGE")
    rows = [
        (
            str(number),
            letter.reason,
            age(now - letter.recorded_at),
            harmless(without_tokens(" ".join(letter.message.split()))),
        )
        for number, letter in letters
    ]
    widths = columns([head, *rows], width, shrinking=(3,))
    yield [(laid_out(head, widths), "bold")]
    for row in rows:
        yield [laid_out(row, widths)]


def page(number: Number, letter: DeadLetter) -> Iterator[Line]:
    """One with all that it says, for people."""
    yield [(f"dead letter {number}", "bold"), "  ", (letter.reason, "bold red")]
    yield [f"  why       {harmless(without_tokens(letter.message))}"]
    yield [f"  recorded  {clock(letter.recorded_at)}"]
    source = letter.source
    if source is not None:
        yield [
            f"  from      {harmless(source.topic)}, partition {source.partition}, {source.offset}"
        ]
    for name, held in letter.headers:
        yield [f"  header    {harmless(name)}: {harmless(held.decode('utf-8', 'replace'))}"]
    yield [f"  value     {len(letter.value):,} bytes"]
    for line in harmless_lines(_text(letter.value) or _base64(letter.value)):
        yield ["    ", line]


def _text(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
