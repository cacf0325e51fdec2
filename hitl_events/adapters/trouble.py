"""Turns what the operating system and SQLite raise into one clear line each."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from hitl_events.errors import CorruptLog, HitlError, InvalidInput, LogUnavailable

DATA = "name another data directory with --dir or HITL_DATA"
"""Where else a file could be, for the line that says what is wrong with its place."""
_MAKE_ROOM = "the disk is full: make room, nothing of this write was kept"
OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_NO_DESCRIPTORS = "too many open files: raise their limit (`ulimit -n`), or close some"

_DENIED_BY_OS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_DENIED_BY_SQLITE = frozenset(
    {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
)

_OS_PROBLEMS = {
    errno.EACCES: "permission denied: change its mode or owner, or {}",
    errno.EPERM: "permission denied: change its mode or owner, or {}",
    errno.EROFS: "a read-only file system: {}",
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EEXIST: "a file, or a link to nothing: {}",
    errno.ENOTDIR: "a file: {}",
    **dict.fromkeys(OUT_OF_DESCRIPTORS, _NO_DESCRIPTORS),
    errno.ENOENT: "no such place: {}",
}

_SQLITE_PROBLEMS = {
    sqlite3.SQLITE_FULL: _MAKE_ROOM,
    sqlite3.SQLITE_READONLY: "it is read-only: change its mode, or {}",
    sqlite3.SQLITE_CANTOPEN: "it or its folder cannot be written: copy it, or {}",
    sqlite3.SQLITE_PERM: "permission denied: change its mode or owner, or {}",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database: move it away, or {}",
    sqlite3.SQLITE_BUSY: "another process kept it locked: end the process that hangs on it",
    sqlite3.SQLITE_LOCKED: "another process kept it locked: end the process that hangs on it",
    sqlite3.SQLITE_IOERR: "the disk failed or is full, nothing of this write was kept: check it",
}
SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite's driver raises: the second where the error's own text quotes a damaged schema."""
_UNREADABLE_TEXT = "Could not decode to UTF-8"
_CLOSED_TEXT = "Cannot operate on a closed database"


def unavailable(path: Path, error: OSError, elsewhere: str = DATA) -> LogUnavailable:
    """The error for a path that cannot be used; `elsewhere` says how to name another."""
    known = _OS_PROBLEMS.get(error.errno or 0)
    problem = f"{error.strerror or error}: {elsewhere}" if known is None else known
    return LogUnavailable(f"expected to use {path}, found {problem.replace('{}', elsewhere)}")


def is_denied(error: LogUnavailable) -> bool:
    """Whether nothing is wrong but that this user may not write there."""
    cause = error.__cause__
    if isinstance(cause, OSError):
        return cause.errno in _DENIED_BY_OS
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _DENIED_BY_SQLITE


def translated(
    path: Path, error: Exception, what: str = "the log", elsewhere: str = DATA
) -> HitlError:
    """The error of the library for one of SQLite's driver, with the file that it is about."""
    if isinstance(error, OverflowError):
        return InvalidInput("expected a number below 2^63, found a larger one")
    if isinstance(error, UnicodeEncodeError):
        return InvalidInput("expected text, found a lone surrogate, which is not valid Unicode")
    if isinstance(error, UnicodeDecodeError):
        return CorruptLog(str(path), "malformed database schema")
    # The upper bits of an extended code only say where in SQLite it happened.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_CORRUPT or _UNREADABLE_TEXT in str(error):
        return CorruptLog(str(path), str(error))
    if _CLOSED_TEXT in str(error):
        wanted = f"expected an open {what.removeprefix('the ')} {path}"
        return LogUnavailable(f"{wanted}, found one that was closed: open it again")
    problem = _SQLITE_PROBLEMS.get(code, str(error)).replace("{}", elsewhere)
    if code == sqlite3.SQLITE_CANTOPEN and _has_no_descriptor():
        problem = f"there are {_NO_DESCRIPTORS}"
    return LogUnavailable(f"expected to use {what} {path}, found that {problem}")


def _has_no_descriptor() -> bool:
    """Whether none can be had: SQLite says only that it could not open a file."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return error.errno in OUT_OF_DESCRIPTORS
    return False
