"""Log lines of a process on stderr: an event name and fields, as JSON or for a console.

Nothing secret passes: fields that may hold what users write are dropped by name, what looks like a
token and every known secret is masked in what is left. What libraries log goes the same way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from logging.handlers import QueueHandler
from typing import Any, TextIO, TypeAlias, cast

from hitl_services.failure import one_line
from hitl_services.lean import without
from hitl_services.log_names import LINES, LogName
from hitl_services.settings import LogLevel, LogSettings

with without("rich"):  # its console would load it for tracebacks, which no process prints: 4 MB
    import structlog

Plain: TypeAlias = str | int | float | bool | None
Fields: TypeAlias = MutableMapping[str, Any]

MASK = "***"
SECRET_CHARS_MIN = 4
"""Shorter secrets are not searched for: every line would be full of masks, and tell them so."""
NEVER = frozenset(
    {"artefact", "data", "draft", "input", "key", "notes", "output", "password", "token", "value"}
)
"""Fields that hold what users write or hide; no line of ours has them."""

_RANK: Mapping[LogLevel, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class Log:
    """Writes lines; `tell` is all there is. Never raises, may be called from any thread."""

    def __init__(
        self, settings: LogSettings, stream: TextIO, *, process: str, secrets: Iterable[str] = ()
    ) -> None:
        self._rank = _RANK[settings.level]
        self._said: frozenset[LogName] = frozenset(
            name for name, (level, _) in LINES.items() if _RANK[level] >= self._rank
        )
        self._masks = sorted({each for each in secrets if len(each) >= SECRET_CHARS_MIN}, key=len)
        self._logger: Any = structlog.wrap_logger(
            _Stream(stream),
            processors=[
                self._harmless,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
                _renderer(settings, stream),
            ],
            wrapper_class=structlog.BoundLogger,
            context_class=dict,
            process=process,
        )

    def says(self, name: LogName) -> bool:
        """Whether lines of that name are written at this level."""
        return name in self._said

    def tell(self, name: LogName, **fields: Plain) -> None:
        """One line; fields that are None are left out."""
        if name in self._said:
            self._write(LINES[name][0], name, fields)

    def pass_on(self, level: LogLevel, logger: str, message: str) -> None:
        """A line of somebody else's."""
        if _RANK[level] >= self._rank:
            self._write(level, "library.message", {"logger": logger, "message": message})

    def _write(self, level: LogLevel, name: LogName, fields: Mapping[str, Plain]) -> None:
        kept = {key: held for key, held in fields.items() if held is not None}
        self._logger.msg(name, level=level, **kept)

    def masked(self, text: str) -> str:
        """A text as a line may hold it: one line, no token, no secret, nothing for a terminal."""
        for secret in reversed(self._masks):
            text = text.replace(secret, MASK)
        return one_line(text)

    def _harmless(self, _: object, __: str, fields: Fields) -> Fields:
        return {name: self._plain(held) for name, held in fields.items() if name not in NEVER}

    def _plain(self, held: object) -> Plain:
        if isinstance(held, str):
            return self.masked(held)
        return held if isinstance(held, int | float) else type(held).__name__


class _Stream:
    """Where lines go. A reader that has gone must not end the process."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        """Write it whole, at once."""
        with suppress(OSError, ValueError):
            self._stream.write(f"{line}\n")
            self._stream.flush()


def _renderer(settings: LogSettings, stream: TextIO) -> Callable[..., Any]:
    if settings.format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=True)
    return structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="at")


class _Routed(QueueHandler):
    """What the logging module is given, as lines of ours: the log is what they are put into."""

    def __init__(self, log: Log) -> None:
        super().__init__(cast("Any", log))  # only `enqueue`, which is ours, knows what it is
        self.setLevel(logging.INFO)
        self._log = log

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """As it is: it goes to no other process."""
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """One line; an exception as its type, its text and its place."""
        message = record.getMessage()
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            message = f"{message}: {said(error)}"
        self._log.pass_on(_level(record.levelno), record.name, message)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its names
        """A message that does not fit its own arguments is not our end, nor a traceback."""


def route_libraries(log: Log) -> None:
    """Send what libraries log and warn through `log`.

    Never below `info`: drivers write whole records at `debug`, with the tokens in them.
    """
    root = logging.getLogger()
    root.handlers = [_Routed(log)]
    root.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)


def said(error: BaseException) -> str:
    """An error as its type, its text, and where it was raised."""
    place = where(error)
    return f"{type(error).__name__}: {error}" + (f" at {place}" if place else "")


def where(error: BaseException, frames_max: int = 6) -> str:
    """The innermost places of an error, innermost first: files, lines and functions, no values."""
    places: list[str] = []
    at = error.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        places.append(f"{code.co_filename}:{at.tb_lineno} {code.co_qualname}")
        at = at.tb_next
    return " < ".join(reversed(places[-frames_max:]))


def _level(number: int) -> LogLevel:
    if number >= logging.ERROR:
        return "error"
    return "warning" if number >= logging.WARNING else "info"
