"""What drives a partition that was taken over. Knows no broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from hitl_events.adapters.kafka.lane import Lane
from hitl_events.adapters.kafka.records import Stored
from hitl_events.errors import RegistryUnavailable
from hitl_events.ports import InboundRecord


class Serving(Protocol):
    """The loop of the partition (`Runner`)."""

    async def serve(self) -> None:
        """Until `stop`."""
        ...

    def stop(self) -> None:
        """End after the current turn."""
        ...

    def nudge(self) -> None:
        """Something came in."""
        ...


class Fed(Protocol):
    """What comes in (`FedIntake`)."""

    def feed(self, fetched: Sequence[Stored]) -> None:
        """Records of one topic, in order."""
        ...

    def admit(self, records: Iterable[InboundRecord]) -> None:
        """Those of a lane that can be read by now."""
        ...

    @property
    def lanes(self) -> Iterable[Lane]:
        """Where records wait that can not be read yet."""
        ...

    @property
    def is_full(self) -> bool:
        """True where nothing more is to be fed for now."""
        ...

    def count(self, topic: str) -> int:
        """How many of a topic's records were fed and are not settled."""
        ...


class Sweeping(Protocol):
    """What forgets in time (`Sweeper`)."""

    async def sweep_on(self) -> None:
        """Until cancelled."""
        ...


class Driven:
    """A partition that is ours: its runner, fed from the moment on from which it serves."""

    def __init__(
        self,
        runner: Serving,
        intake: Fed,
        sweeper: Sweeping,
        begin: Callable[[Driven], None],
    ) -> None:
        self._runner = runner
        self._intake = intake
        self._sweeper = sweeper
        self._begin = begin
        self._failure: RegistryUnavailable | None = None
        self.gates = 0

    async def serve(self) -> None:
        """Until `stop`."""
        self._begin(self)
        try:
            async with asyncio.TaskGroup() as group:
                beside = [group.create_task(self._sweeper.sweep_on())]
                beside += [group.create_task(self._admit(lane)) for lane in self._intake.lanes]
                await self._runner.serve()
                for task in beside:
                    task.cancel()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # as the runner's own
        if self._failure is not None:
            raise self._failure

    async def _admit(self, lane: Lane) -> None:
        """What waits in a lane, once it can be read; without a registry all ends in order."""
        try:
            while True:
                self._intake.admit(await lane.known())
                self._runner.nudge()
        except RegistryUnavailable as error:
            self._failure = error
            self._runner.stop()

    def stop(self) -> None:
        """End after the current turn."""
        self._runner.stop()

    def feed(self, records: Sequence[Stored]) -> None:
        """Records of one inbound topic."""
        self._intake.feed(records)
        self._runner.nudge()

    @property
    def is_full(self) -> bool:
        """True where nothing more is to be fed for now."""
        return self._intake.is_full

    def held(self, topic: str) -> int:
        """How many of a topic's records were fed and are not settled."""
        return self._intake.count(topic)
