"""Turns what the operating system and SQLite raise into one clear line each."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from hitl_events.errors import CorruptLog, HitlError, InvalidInput, LogUnavailable

_ELSEWHERE = "name another data directory with --dir or HITL_DATA"
_MAKE_ROOM = "the disk is full: make room, nothing of this write was kept"
OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_NO_DESCRIPTORS = "too many open files: raise their limit (`ulimit -n`), or close some"

_OS_PROBLEMS = {
    errno.EACCES: f"permission denied: change its mode or owner, or {_ELSEWHERE}",
    errno.EPERM: f"permission denied: change its mode or owner, or {_ELSEWHERE}",
    errno.EROFS: f"a read-only file system: {_ELSEWHERE}",
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EEXIST: f"a file, or a link to nothing: {_ELSEWHERE}",
    errno.ENOTDIR: f"a file: {_ELSEWHERE}",
    **dict.fromkeys(OUT_OF_DESCRIPTORS, _NO_DESCRIPTORS),
    errno.ENOENT: f"no such place: {_ELSEWHERE}",
}

_SQLITE_PROBLEMS = {
    sqlite3.SQLITE_FULL: _MAKE_ROOM,
    sqlite3.SQLITE_READONLY: f"it is read-only: change its mode, or {_ELSEWHERE}",
    sqlite3.SQLITE_CANTOPEN: f"it or its folder cannot be written: copy it, or {_ELSEWHERE}",
    sqlite3.SQLITE_PERM: f"permission denied: change its mode or owner, or {_ELSEWHERE}",
    sqlite3.SQLITE_NOTADB: f"it is no SQLite database: move it away, or {_ELSEWHERE}",
    sqlite3.SQLITE_BUSY: "another process kept it locked: end the process that hangs on it",
    sqlite3.SQLITE_LOCKED: "another process kept it locked: end the process that hangs on it",
    sqlite3.SQLITE_IOERR: "the disk failed or is full, nothing of this write was kept: check it",
}
SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite's driver raises: the second where the error's own text quotes a damaged schema."""
_UNREADABLE_TEXT = "Could not decode to UTF-8"
_CLOSED_TEXT = "Cannot operate on a closed database"


def unavailable(path: Path, error: OSError) -> LogUnavailable:
    """The error for a path of the data directory that cannot be used."""
    problem = _OS_PROBLEMS.get(error.errno or 0) or f"{error.strerror or error}: {_ELSEWHERE}"
    return LogUnavailable(f"expected to use {path}, found {problem}")


def translated(path: Path, error: Exception) -> HitlError:
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
        return LogUnavailable(
            f"expected an open log {path}, found one that was closed: open it again"
        )
    problem = _SQLITE_PROBLEMS.get(code) or str(error)
    return LogUnavailable(f"expected to use the log {path}, found that {problem}")
