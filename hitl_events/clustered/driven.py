"""What drives a partition that was taken over. Knows no broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from hitl_events.adapters.kafka.records import Stored


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
        self.gates = 0

    async def serve(self) -> None:
        """Until `stop`."""
        self._begin(self)
        try:
            async with asyncio.TaskGroup() as group:
                sweeping = group.create_task(self._sweeper.sweep_on())
                await self._runner.serve()
                sweeping.cancel()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # as the runner's own

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
