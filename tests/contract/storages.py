"""The adapters under test, each as a storage with several openings."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from hitl_events.adapters.memory import MemoryLog
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.ports import DeadLetters, Intake
from hitl_events.testing.checks.promise import Make, OwnedLog


class EveryPort(OwnedLog, Intake, DeadLetters, Protocol):
    """What the embedded logs are."""


class MemoryStorage:
    """One partition of a memory log."""

    def __init__(self, number: int = 0, partitions: int = 1) -> None:
        self._first = MemoryLog(partitions).partition(number)
        self._openings: list[MemoryLog] = []

    async def open(self) -> MemoryLog:
        """Another process on the same storage."""
        self._openings.append(self._first.reopen())
        return self._openings[-1]

    async def usurp(self) -> MemoryLog:
        """Take the ownership as if a lease had run out."""
        log = await self.open()
        log.usurp()
        assert log.try_own()
        return log

    async def restart(self) -> MemoryLog:
        """Give everything back, then open the storage anew."""
        for log in self._openings:
            log.close()
        return await self.open()


class SqliteStorage:
    """One data directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._openings: list[SqliteLog] = []

    async def open(self) -> SqliteLog:
        """Another connection to the same file."""
        self._openings.append(SqliteLog.open(self.path))
        return self._openings[-1]

    async def usurp(self) -> SqliteLog:
        """Take the ownership past the lock: somebody removed its file."""
        (self.path / "owner.lock").unlink()
        log = await self.open()
        assert log.try_own()
        return log

    async def restart(self) -> SqliteLog:
        """Close every connection, then open the file anew."""
        self.close()
        return await self.open()

    def close(self) -> None:
        """Close every connection."""
        for log in self._openings:
            log.close()
        self._openings.clear()


@asynccontextmanager
async def memory() -> AsyncGenerator[MemoryStorage]:
    """The only partition of a memory log."""
    yield MemoryStorage()


@asynccontextmanager
async def memory_partition() -> AsyncGenerator[MemoryStorage]:
    """The last of three partitions of a memory log."""
    yield MemoryStorage(number=2, partitions=3)


@asynccontextmanager
async def sqlite() -> AsyncGenerator[SqliteStorage]:
    """A data directory that is not there yet."""
    async with AsyncExitStack() as stack:
        storage = SqliteStorage(Path(stack.enter_context(TemporaryDirectory())) / "data")
        stack.callback(storage.close)
        yield storage


MAKES: dict[str, Make[EveryPort]] = {
    "memory": memory,
    "memory partition": memory_partition,
    "sqlite": sqlite,
}
