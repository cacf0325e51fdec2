"""The embedded log: one SQLite file that is event stream, run states, intake and dead letters."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Self

from hitl_events.adapters.directory import DataDirectory
from hitl_events.adapters.sqlite.dead_letters import DeadLetterTable, write_dead_letters
from hitl_events.adapters.sqlite.events import Events, end_of, write_values
from hitl_events.adapters.sqlite.file import LogFile, open_for_reading, open_for_writing
from hitl_events.adapters.sqlite.intake import Intake, write_answers
from hitl_events.adapters.sqlite.owner import Owner, is_imported
from hitl_events.adapters.sqlite.runs import Runs, write_positions
from hitl_events.adapters.system import SystemClock
from hitl_events.errors import HitlError, InvalidInput
from hitl_events.ports import Clock, EffectBatch

_USED = "SELECT EXISTS (SELECT 1 FROM blocks) OR EXISTS (SELECT 1 FROM sqlite_sequence)"
"""The second table has a row for each of ours that ever had one: intake and dead letters."""


class SqliteLog(Events, Runs, Intake, DeadLetterTable):
    """`EventLog`, `RunStates`, `Intake` and `DeadLetters` over one connection to `log.db`.

    Its methods are coroutines for the ports' sake and never wait: a commit takes 0.2 ms, a thread
    hop 90 us. Any process may open it, read it and put into its intake; only the owner appends.
    """

    def __init__(self, file: LogFile, directory: DataDirectory, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._owner = Owner(file, directory.lock_path)
        self._seen_version = self._version()
        self.path = directory.path

    @classmethod
    def open(cls, directory: DataDirectory | Path | str, *, clock: Clock | None = None) -> Self:
        """The log of this directory, both made if they are not there."""
        place = _directory(directory)
        return cls(open_for_writing(place), place, clock or SystemClock())

    @classmethod
    def open_for_reading(cls, directory: DataDirectory | Path | str) -> Self:
        """The log of this directory, which may be read-only; where there is none, an empty one.

        Creates nothing. `DataDirectory.has_log` tells an empty log from none.
        """
        place = _directory(directory)
        return cls(open_for_reading(place), place, SystemClock())

    @property
    def owned(self) -> bool:
        """Whether this opening owns the log, as far as it knows."""
        return self._owner.held

    @property
    def imported(self) -> bool:
        """Whether it was imported for reading: nothing may run in it."""
        return is_imported(self._file)

    @property
    def used(self) -> bool:
        """Whether anything was ever recorded here: an event, a submission, a dead letter."""
        return bool(self._file.row(_USED)[0])

    def try_own(self) -> bool:
        """Become the owner unless another is; a dead one (`kill -9`) is none. Never waits."""
        return self._owner.try_own()

    def release(self) -> None:
        """Give the ownership back."""
        self._owner.release()

    async def append(self, batch: EffectBatch) -> None:
        with self._file.transaction():
            self._owner.check()
            self._write(batch)

    async def fill(self, batches: Iterable[EffectBatch]) -> None:
        """Load exported events into an empty log, all or none; then it is only for reading."""
        with self._file.transaction():
            self._owner.check()
            if self.used:
                held = f"{end_of(self._file)} events, or what was refused"
                message = f"expected an empty log in {self._file.path}, found {held}"
                raise InvalidInput(f"{message}: import into a new directory")
            for batch in batches:
                self._write(batch)
            self._file.rows("UPDATE meta SET imported = 1")
        self.release()

    @contextmanager
    def snapshot(self) -> Generator[None, None, None]:
        """Reads inside see one moment of the log, whatever its owner appends meanwhile."""
        self._file.rows("BEGIN")
        try:
            yield
        finally:
            # Some errors end the transaction by themselves.
            with suppress(HitlError):
                self._file.rows("ROLLBACK")

    def changed(self) -> bool:
        """Whether another process has written since the last call, or the opening.

        One read of shared memory (4 us): for those who wait for an answer.
        """
        version = self._version()
        before, self._seen_version = self._seen_version, version
        return version != before

    def heard(self, due: datetime, now: datetime) -> datetime:
        """There is no other intake."""
        return now

    async def rest(self, now_s: float) -> bool:
        """Nothing waits for that."""
        return False

    def close(self) -> None:
        """Give back ownership and file; the last to close it folds the write-ahead log in."""
        self._owner.release()
        self._file.close()

    def _version(self) -> int:
        return int(self._file.row("PRAGMA data_version")[0])

    def _write(self, batch: EffectBatch) -> None:
        first = write_values(self._file, [each.value for each in batch.events])
        write_positions(self._file, batch, first)
        write_dead_letters(self._file, batch.dead_letters)
        write_answers(self._file, batch.settled)


def _directory(place: DataDirectory | Path | str) -> DataDirectory:
    return place if isinstance(place, DataDirectory) else DataDirectory(place)
