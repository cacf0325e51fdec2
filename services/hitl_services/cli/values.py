"""What users type, as values: numbers, JSON, choices. `InvalidInput` says what was expected."""

from __future__ import annotations

import re
import sys
from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from hitl_events.errors import InvalidInput
from hitl_services.text import quoted

INPUT_BYTES_MAX = 4 * 1024 * 1024
"""Read of a file or stdin: a record may have 256 KiB; generously indented, 16 times that."""
TOKEN_BYTES_MAX = 4096
"""Of a token on stdin: 200 and whatever a shell adds; more is none."""

_NUMBER = re.compile(r"[0-9]{1,18}")


def number(text: str, option: str, *, most: int | None = None) -> int:
    """A whole number from 1 on, and at most `most`."""
    if not _NUMBER.fullmatch(text) or int(text) < 1 or (most and int(text) > most):
        wanted = f"a number from 1 {'on' if most is None else f'to {most}'}"
        raise InvalidInput(f"expected {wanted} as {option}, found {quoted(text)}")
    return int(text)


def json_value(text: str, option: str) -> object:
    """JSON itself, of `@FILE`, or of stdin (`-`)."""
    from hitl_events.adapters.inbound.json_text import parse_json
    from hitl_events.adapters.inbound.refused import Unfit

    data, place = _bytes(text, option)
    try:
        return parse_json(data)
    except Unfit as unfit:
        raise InvalidInput(f"in {place}: {unfit}") from None


def token(text: str) -> str:
    """A token; `-` reads it from stdin, which keeps it out of the shell's history."""
    if text != "-":
        return text
    data = _read(_stdin(), "stdin", TOKEN_BYTES_MAX)
    return data.decode("utf-8", "replace").strip()


def _bytes(text: str, option: str) -> tuple[bytes, str]:
    """What is to be parsed, and how a message names its place."""
    if text == "-":
        return _bounded(_stdin(), "stdin"), "stdin"
    if not text.startswith("@"):
        return text.encode("utf-8", "surrogateescape"), option
    path = text[1:]
    place = f"the file {quoted(path)}"
    try:
        with Path(path).open("rb") as file:
            return _bounded(file, place), place
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise InvalidInput(f"expected {option} to name a file, found {place}: {problem}") from None


def _stdin() -> BinaryIO:
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]  # a closed descriptor
        raise InvalidInput("expected something on stdin, found it closed")
    return sys.stdin.buffer


def _read(file: BinaryIO, place: str, bytes_max: int) -> bytes:
    try:
        return file.read(bytes_max)
    except OSError as error:  # a folder, or a terminal that is gone
        raise InvalidInput(f"expected to read {place}, found: {error.strerror}") from None


def _bounded(file: BinaryIO, place: str) -> bytes:
    data = _read(file, place, INPUT_BYTES_MAX + 1)
    if len(data) > INPUT_BYTES_MAX:
        raise InvalidInput(f"expected at most {INPUT_BYTES_MAX} bytes in {place}, found more")
    return data.removeprefix(BOM_UTF8)  # some editors and shells write it; it says nothing here


def status(text: str | None) -> str | None:
    """A status of outcomes, or the log's own finer word for it."""
    from hitl_services.cli.rows import STATUSES

    known = [*STATUSES, *sorted(word for words in STATUSES.values() for word in words)]
    if text is not None and text not in known:
        listed = ", ".join(dict.fromkeys(known))
        raise InvalidInput(f"expected a status of {listed}; found {quoted(text)}")
    return text


def choice(text: str, option: str, known: tuple[str, ...]) -> str:
    """One of a few words."""
    if text not in known:
        raise InvalidInput(f"expected {' or '.join(known)} as {option}, found {quoted(text)}")
    return text


def at_most_one(given: Mapping[str, object]) -> None:
    """Options of which each says by itself what is wanted."""
    found = [option for option, held in given.items() if held is not None]
    if len(found) > 1:
        *some, last = given
        wanted = f"{', '.join(some)} and {last}"
        raise InvalidInput(f"expected one of {wanted}, found {' and '.join(found)}")
