"""Where output goes: one document or a page on stdout, lines about it on stderr.

Colours only on terminals. What users' modules and steps print goes to stderr, so that stdout holds
what the command has to say and nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO, TypeAlias

from hitl_events.errors import HitlError
from hitl_services.text import harmless_json

Part: TypeAlias = str | tuple[str, str]
"""Text, or text and its style in the words of rich (`bold red`)."""
Line: TypeAlias = Sequence[Part]

_WIDTH_MIN = 40


class Screen:
    """The output of one command."""

    def __init__(self) -> None:
        # A closed descriptor makes Python set the stream to None.
        self._out: TextIO = sys.stdout or _nowhere()
        self._gone = False
        self.answered = False

    @property
    def width(self) -> int:
        """Columns of the terminal; 80 in a pipe, unless `COLUMNS` says otherwise."""
        return max(shutil.get_terminal_size().columns, _WIDTH_MIN)

    @property
    def is_terminal(self) -> bool:
        """Whether pages go to a terminal."""
        return self._out.isatty()

    @property
    def is_seen(self) -> bool:
        """Whether whoever reads stderr has the page before their eyes already."""
        return self.is_terminal and self.watched

    @property
    def watched(self) -> bool:
        """Whether somebody sees stderr while it is written."""
        return sys.stderr is not None and sys.stderr.isatty()  # None: a closed descriptor

    @property
    def ascii_only(self) -> bool:
        """Whether stdout can not hold every text; what is not ASCII must be written otherwise."""
        return self._out.encoding.lower() not in {"utf-8", "utf8"}

    def shield(self) -> None:
        """From here on only this screen writes to stdout; file descriptor 1 is stderr.

        Users' code prints, and starts programs that do; what it says belongs to no document.
        """
        if self._out is not sys.stdout:
            return
        self.flush()
        with suppress(OSError, ValueError, AttributeError):
            kept = os.dup(sys.stdout.fileno())
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
            self._out = os.fdopen(kept, "w", encoding=sys.stdout.encoding)

    def document(self, held: object) -> None:
        """The one JSON document."""
        text = json.dumps(held, ensure_ascii=self.ascii_only, indent=2)
        self.write(f"{harmless_json(text)}\n")

    def page(self, lines: Iterable[Line]) -> None:
        """Lines for people. They are never wrapped: a token must stay in one piece."""
        if self.is_terminal and not self._gone:
            self._coloured(lines)
            return
        for line in lines:
            self.write("".join(_text(part) for part in line).rstrip() + "\n")

    def _coloured(self, lines: Iterable[Line]) -> None:
        from rich.console import Console
        from rich.text import Text

        self.answered = True
        encoding = self._out.encoding
        console = Console(file=self._out, highlight=False, emoji=False, markup=False)
        for line in lines:
            console.print(Text.assemble(*_fitting_parts(line, encoding)), soft_wrap=True)

    def write(self, text: str) -> None:
        """Text as it is; nothing once the reader has gone (`hitl runs | head`)."""
        self.answered = True
        if self._gone:
            return
        try:
            self._out.write(_fitting(text, self._out.encoding))
        except OSError as error:
            self._failed(error)

    def write_bytes(self, data: bytes) -> None:
        """As `write`, of UTF-8: as it is where stdout takes that."""
        if self.ascii_only:
            self.write(data.decode())
            return
        self.answered = True
        if self._gone:
            return
        try:
            self._out.flush()
            self._out.buffer.write(data)
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        self.hang_up()
        if not isinstance(error, BrokenPipeError):
            problem = f"expected to write the output, found: {error.strerror}"
            raise HitlError(f"{problem}; what the command did stays done") from None

    def hang_up(self) -> None:
        """The reader has gone: that is no error, and the exit code stays the command's own."""
        self._gone = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        with suppress(OSError, ValueError):
            os.dup2(nowhere, self._out.fileno())
        os.close(nowhere)

    @property
    def gone(self) -> bool:
        """Whether nobody reads any more."""
        return self._gone

    def flush(self) -> None:
        """Bring all of it out."""
        try:
            self._out.flush()
        except OSError as error:
            self._failed(error)

    def note(self, line: str) -> None:
        """A line on stderr, after what stands on stdout."""
        with suppress(HitlError):  # told at the end, or less than what this line says
            self.flush()
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _fitting(text: str, encoding: str) -> str:
    """The text with what the terminal's encoding does not have as escapes."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _fitting_parts(line: Line, encoding: str) -> list[tuple[str, str]]:
    """The parts of a line with their styles, "" for none."""
    styled = ((part, "") if isinstance(part, str) else part for part in line)
    return [(_fitting(text, encoding), style) for text, style in styled]


def _text(part: Part) -> str:
    return part if isinstance(part, str) else part[0]
