"""Who may append: one process at a time, by a file lock and an epoch that every append checks."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from hitl_events.adapters.lock import FileLock
from hitl_events.adapters.sqlite.file import LogFile
from hitl_events.errors import Fenced, ReadOnlyLog

_META = "SELECT owner_epoch, imported FROM meta"
_NEXT_EPOCH = "UPDATE meta SET owner_epoch = owner_epoch + 1"
_ADVICE = "take the ownership again and read the log anew"


class Owner:
    """The ownership of one log by one opening of it.

    The lock decides, the epoch is the second line: where locks fail (a removed lock file, a network
    file system), whoever took the log over has a later epoch, and the other can append nothing.
    """

    def __init__(self, file: LogFile, lock_path: Path) -> None:
        self._file = file
        self._lock = FileLock(lock_path)
        self._epoch: int | None = None

    @property
    def held(self) -> bool:
        return self._epoch is not None

    def try_own(self) -> bool:
        """Take the log if nobody has it; True if it is owned now. Never waits for another owner."""
        if self.held:
            return True
        refuse_if_imported(self._file)
        if not self._lock.try_acquire():
            return False
        with ExitStack() as undo:
            undo.callback(self.release)
            with self._file.transaction():
                self._file.rows(_NEXT_EPOCH)
                self._epoch = int(self._file.row(_META)[0])
            undo.pop_all()
        return True

    def release(self) -> None:
        """Let others own it; nothing happens if it is not owned."""
        self._epoch = None
        self._lock.release()

    def check(self) -> None:
        """Inside a transaction: `Fenced` unless it is still ours, `ReadOnlyLog` if imported."""
        if self._epoch is None:
            raise Fenced(
                f"expected the owner of {self._file.path}, found one that is not: {_ADVICE}"
            )
        epoch, imported = self._file.row(_META)
        if epoch != self._epoch:
            self.release()
            message = f"expected owner epoch {epoch} of {self._file.path}, found a stale owner"
            raise Fenced(f"{message}: {_ADVICE}")
        if imported:
            raise _read_only(self._file.path)


def is_imported(file: LogFile) -> bool:
    """Whether the log was imported for reading."""
    return bool(file.row(_META)[1])


def refuse_if_imported(file: LogFile) -> None:
    """`ReadOnlyLog` if nothing may run in this log."""
    if is_imported(file):
        raise _read_only(file.path)


def _read_only(path: Path) -> ReadOnlyLog:
    return ReadOnlyLog(
        f"expected a log that may run, found {path}, which was imported for reading: "
        f"name another data directory with --dir or HITL_DATA"
    )
