"""A state file under the checks of `RunStates`, with as much of a log as they need."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.kafka.states import StateFile
from hitl_events.ports import EffectBatch, StoredEvent


class StateLog(StateFile):
    """`RunStates` of a partition whose events are kept by nobody."""

    async def append(self, batch: EffectBatch) -> None:
        """The batch is in the log: so it goes into the file."""
        end = (self.noted.events_end if self.noted else 0) + len(batch.events)
        self.apply(batch.events, batch.positions, end, {})

    async def read(self, start: int = 0) -> AsyncIterator[Sequence[StoredEvent]]:
        """Nothing, in no pieces."""
        nothing: list[Sequence[StoredEvent]] = []
        for piece in nothing[start:]:
            yield piece

    async def end(self) -> int:
        """Where the next event would stand."""
        return self.noted.events_end if self.noted else 0

    def try_own(self) -> bool:
        """Whoever has the file open owns it."""
        return True

    def release(self) -> None:
        """Nothing."""

    def changed(self) -> bool:
        """Nobody else can have it open."""
        return False


class StateStorage:
    """One state file, which one process at a time has open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log: StateLog | None = None

    async def open(self) -> StateLog:
        """The process."""
        self.close()
        self._log = StateLog.open(self._path, "cluster|hitl|0|1", AvroCodec())
        return self._log

    async def usurp(self) -> StateLog:
        """The next process."""
        return await self.open()

    async def restart(self) -> StateLog:
        """The next process."""
        return await self.open()

    def close(self) -> None:
        """End it."""
        if self._log is not None:
            self._log.close()


@asynccontextmanager
async def state_file() -> AsyncGenerator[StateStorage]:
    """A state file that is not there yet."""
    async with AsyncExitStack() as stack:
        storage = StateStorage(Path(stack.enter_context(TemporaryDirectory())) / "0.state")
        stack.callback(storage.close)
        yield storage
