"""An exclusive lock on a file that dies with its process, also by `kill -9`. POSIX only."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar
from weakref import WeakSet

from hitl_events.adapters.trouble import DATA, unavailable
from hitl_events.errors import LogUnavailable

if sys.platform == "win32":
    raise LogUnavailable("expected a POSIX system (Linux, macOS), found Windows: use WSL there")
import fcntl

WAIT_S = 10.0
"""Bound of the wait for work that takes milliseconds: beyond it, its process hangs."""
_POLL_S = 0.005


class FileLock:
    """At most one holder of a path at a time, over all processes of the machine.

    It is `flock`, so the kernel frees it when the holder dies. A child made by `fork` (a process
    pool in a step) drops its copy at once: else it would hold the lock of a parent that was killed.
    """

    _held: ClassVar[WeakSet[FileLock]] = WeakSet()
    _fork_is_watched: ClassVar[bool] = False

    def __init__(self, path: Path, elsewhere: str = DATA) -> None:
        """`elsewhere` says how another place is named, should this one not do."""
        self.path = path
        self._elsewhere = elsewhere
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        return self._descriptor is not None

    def try_acquire(self) -> bool:
        """Take it if it is free; True if it is held now. Never waits."""
        if self.held:
            return True
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unavailable(self.path, error, self._elsewhere) from error
        if not (
            _lock(descriptor, self.path, self._elsewhere) and self._is_still_at_its_path(descriptor)
        ):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        FileLock._held.add(self)
        FileLock._watch_fork()
        return True

    def release(self) -> None:
        """Give it back; nothing happens if it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            FileLock._held.discard(self)

    def _is_still_at_its_path(self, descriptor: int) -> bool:
        """False if the file was removed or replaced meanwhile: others lock another one then."""
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except OSError:
            return False

    @classmethod
    def _watch_fork(cls) -> None:
        if not cls._fork_is_watched:
            os.register_at_fork(after_in_child=cls._drop_all)
            FileLock._fork_is_watched = True

    @classmethod
    def _drop_all(cls) -> None:
        for lock in list(cls._held):
            lock.release()


@contextmanager
def exclusive(directory: Path) -> Generator[None, None, None]:
    """Hold the lock of a directory itself, so that no file is left; waits for at most `WAIT_S`."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise unavailable(directory, error) from error
    try:
        deadline_s = time.monotonic() + WAIT_S
        while not _lock(descriptor, directory):
            if time.monotonic() > deadline_s:
                message = (
                    f"expected to set up {directory} within {WAIT_S:.0f} s, found it locked "
                    f"all that time: end the process that hangs on it"
                )
                raise LogUnavailable(message)
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of that path now; no file is made for the question."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _lock(descriptor: int, path: Path, elsewhere: str = DATA) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise unavailable(path, error, elsewhere) from error
    return True
