"""Folders that one process at a time may use."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from hitl_events.adapters.lock import FileLock
from hitl_events.errors import InvalidInput, LogUnavailable

NEIGHBOURS_MAX = 16
"""Engines of one machine without names of their own; more are a mistake."""
_LOCK = "in-use.lock"


@contextmanager
def claimed(folder: Path) -> Generator[Path]:
    """The folder, made if need be, for this process alone until the end of the block.

    Where another process has it, `folder~2`, `folder~3`, ...: so engines without names of their
    own share a machine, and one that was stopped (SIGSTOP) does not keep its successor from
    starting. `LogUnavailable` where it can not be made.
    """
    for number in range(1, NEIGHBOURS_MAX + 1):
        place = folder if number == 1 else folder.with_name(f"{folder.name}~{number}")
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            wanted = f"expected HITL_STATE_DIR to be a folder, found {place}: {error.strerror}"
            raise LogUnavailable(wanted) from None
        lock = FileLock(place / _LOCK, "name another folder in HITL_STATE_DIR")
        if lock.try_acquire():
            try:
                yield place
            finally:
                lock.release()
            return
    message = f"expected at most {NEIGHBOURS_MAX} processes with the state folder {folder}"
    raise InvalidInput(f"{message}, found more; give each its own HITL_STATE_DIR")
