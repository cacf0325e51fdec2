"""Text for people: foreign text made harmless, cut to a width, and times in plain words. Pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta

TOKEN_SHAPE = re.compile(r"hitl_[A-Za-z0-9_-]{40,}")
"""What may be a token; the shortest real one has 66 characters."""

_CONTROL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = frozenset({"\u200c", "\u200d"})
"""Invisible, but scripts and emoji are misspelt without them; they can not reorder or hide text."""
_PLAIN = re.compile(r"[ -~]*")
_TAB = "    "


def harmless(text: str) -> str:
    r"""One line in which nothing moves the cursor, colours, or turns the reading direction.

    What could is shown as its escape (`\\x1b`, `\\u202e`).
    """
    if _PLAIN.fullmatch(text):
        return text
    return "".join(map(_visible, text))


def _visible(char: str) -> str:
    if unicodedata.category(char) not in _CONTROL or char in _JOINERS:
        return char
    return _TAB if char == "\t" else char.encode("unicode_escape").decode()


def harmless_lines(text: str) -> list[str]:
    """The lines of a text, each harmless."""
    return [harmless(line) for line in text.replace("\r\n", "\n").split("\n")]


def harmless_json(text: str) -> str:
    """JSON in which what a terminal would act on, or nobody would see, is escaped: the same value.

    Of ASCII its own escapes leave the delete alone.
    """
    text = text.replace("\x7f", "\\u007f")
    if text.isascii():
        return text
    return "".join(char if char.isascii() else _json_visible(char) for char in text)


def _json_visible(char: str) -> str:
    if unicodedata.category(char) not in _CONTROL or char in _JOINERS:
        return char
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def without_tokens(text: str) -> str:
    """The text with whatever may be a token cut out: for errors and logs."""
    return TOKEN_SHAPE.sub("hitl_...", text)


def quoted(text: str, chars_max: int = 60) -> str:
    """A foreign text as a message may quote it: short, harmless, and no token."""
    shown = without_tokens(text)
    shown = shown if len(shown) <= chars_max else f"{shown[:chars_max]}..."
    return f"'{harmless(shown)}'"


def cells(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me"} or char in _JOINERS:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def cut(text: str, width: int) -> str:
    """The text in at most `width` columns; what is cut off shows as an ellipsis."""
    if cells(text) <= width:
        return text
    kept, used = "", 0
    for char in text:
        used += _cells(char)
        if used >= width:
            break
        kept += char
    return f"{kept.rstrip()}…"


def wrapped(text: str, width: int) -> list[str]:
    """The words of a text in lines of at most `width` columns; a longer word has its own line."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and cells(joined) > width:
            lines.append(word)
        else:
            lines[-1] = joined
    return lines


def padded(text: str, width: int) -> str:
    """The text followed by blanks up to `width` columns."""
    return text + " " * (width - cells(text))


def age(length: timedelta) -> str:
    """A length of time as its largest unit: `12s`, `5m`, `3h`, `9d`."""
    seconds = max(int(length.total_seconds()), 0)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def until(deadline: datetime | None, now: datetime) -> str:
    """How long is left: `3h`, `over`, or `-` where there is no end."""
    if deadline is None:
        return "-"
    return "over" if deadline < now else age(deadline - now)


def clock(at: datetime) -> str:
    """A time to the second, in UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def counted(number: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
