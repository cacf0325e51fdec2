"""The file of a read model among processes: who folds into it, and how a new one takes its place.

SQLite finds what stands beside a file by its name: a file may be exchanged only while nobody opens
it. Whoever writes opens under the same lock; one who has the old file open keeps that, fenced. Who
only reads takes no lock: a rebuild keeps it for long. It looks whether the file it opened is still
the one at the path (`identity`), else it opens again.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from hitl_events.adapters.lock import FileLock, is_held
from hitl_events.adapters.trouble import unavailable
from hitl_events.errors import LogUnavailable

WAIT_S = 600.0
"""For whoever folds before us: after it little is left to fold."""
_POLL_S = 0.02
EXCHANGE_S = 2.0
"""Between two files there is none, for less than a millisecond where the disk is not slow."""
_LOOK_S = 0.002
ELSEWHERE = "name another place in HITL_READ_MODEL"
_SIDES = ("-wal", "-shm", "-journal")


@contextmanager
def opening(path: Path) -> Generator[None, None, None]:
    """Nobody exchanges the file meanwhile; its folder is made if it is not there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise unavailable(path.parent, error, ELSEWHERE) from error
    with _locked(_beside(path, "lock"), f"to open {path}"):
        yield


@contextmanager
def folding(path: Path) -> Generator[None, None, None]:
    """We alone fold into it: who comes later waits instead of fencing us."""
    with _locked(_beside(path, "fold"), f"to fold into {path}"):
        yield


@contextmanager
def rebuilding(path: Path) -> Generator[Path, None, None]:
    """Where the new one is built; what another one left there is gone on with."""
    lock = FileLock(_beside(path, "rebuild"), ELSEWHERE)
    if not lock.try_acquire():
        raise LogUnavailable(
            f"expected to rebuild {path}, found another process that does it: let it end"
        )
    try:
        yield _beside(path, "new")
    finally:
        lock.release()


def exchange(path: Path, new: Path) -> None:
    """The new file takes the place of the old; nobody has the new one open.

    The caller holds `opening(path)`. If we die in between there is none for a moment: the new one
    is whole, and the next rebuild ends at once.
    """
    try:
        discard(path)
        new.replace(path)
        _beside(new, "lock").unlink(missing_ok=True)
    except OSError as error:
        raise unavailable(path, error, ELSEWHERE) from error


def identity(path: Path) -> tuple[int, int] | None:
    """Which file is at the path; None if there is none, also not after an exchange under way."""
    until_s = time.monotonic() + EXCHANGE_S
    while True:
        is_exchanged = is_held(_beside(path, "lock"))
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            if not is_exchanged or time.monotonic() > until_s:
                return None
        except OSError as error:
            raise unavailable(path, error, ELSEWHERE) from error
        else:
            return found.st_dev, found.st_ino
        time.sleep(_LOOK_S)


def discard(path: Path) -> None:
    """Remove the file and what SQLite keeps beside it."""
    for side in ("", *_SIDES):
        path.with_name(path.name + side).unlink(missing_ok=True)


@contextmanager
def _locked(path: Path, purpose: str) -> Generator[None, None, None]:
    lock = FileLock(path, ELSEWHERE)
    until_s = time.monotonic() + WAIT_S
    while not lock.try_acquire():
        if time.monotonic() > until_s:
            raise LogUnavailable(
                f"expected {purpose} within {WAIT_S:g} s, found {path} locked all that time: "
                f"end the process that hangs on it"
            )
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        lock.release()


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}.{what}")
