"""Driving a partition: it is fed once it serves, and swept until it ends."""

import asyncio
from collections.abc import Sequence

import pytest

from hitl_events.adapters.kafka.records import Stored
from hitl_events.clustered.driven import Driven
from hitl_events.errors import HitlError, LogUnavailable, StateLost


class Runner:
    """Serves until it is stopped; raises what it is given then."""

    def __init__(self, failure: HitlError | None = None) -> None:
        self._stopped = asyncio.Event()
        self._failure = failure

    async def serve(self) -> None:
        """Until stopped."""
        await self._stopped.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End it."""
        self._stopped.set()

    def nudge(self) -> None:
        """Nothing waits here."""


class Intake:
    """Takes nothing."""

    is_full = False

    def feed(self, fetched: Sequence[Stored]) -> None:
        """Nothing."""

    def count(self, topic: str) -> int:
        """None."""
        return len(topic) * 0


class Sweeper:
    """Sweeps until it is cancelled, or fails."""

    def __init__(self, failure: HitlError | None = None) -> None:
        self.begun = asyncio.Event()
        self.cancelled = False
        self._failure = failure

    async def sweep_on(self) -> None:
        """Until cancelled."""
        self.begun.set()
        if self._failure is not None:
            raise self._failure
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def test_the_sweeper_ends_with_the_runner() -> None:
    """It sweeps for as long as the partition is served, and delays no end."""
    sweeper, begun = Sweeper(), list[Driven]()
    driven = Driven(Runner(), Intake(), sweeper, begun.append)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(driven.serve())
        await sweeper.begun.wait()
        driven.stop()

    assert begun == [driven]
    assert sweeper.cancelled


async def test_what_ends_the_runner_is_told_as_it_is() -> None:
    """Whoever keeps the partition decides by the error's type."""
    driven = Driven(Runner(LogUnavailable("gone")), Intake(), Sweeper(), lambda _: None)

    driven.stop()
    async with asyncio.timeout(5):
        with pytest.raises(LogUnavailable):
            await driven.serve()


async def test_a_state_that_can_not_be_swept_ends_the_runner() -> None:
    """The file is damaged: the partition is taken over again, with a new one."""
    driven = Driven(Runner(), Intake(), Sweeper(StateLost("damaged")), lambda _: None)

    async with asyncio.timeout(5):
        with pytest.raises(StateLost):
            await driven.serve()
