"""What befalls the processes of a simulated cluster, from one seed."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import Random
from typing import Literal

from hitl_events.errors import LogUnavailable
from tests.simulation.cluster.virtual_time import passes

Fate = Literal["well", "refused", "unknown"]
_COMMIT_S = 0.01
_SLOW_S = 3.0
_GIVEN_BACK_S_MAX = 4.0


class Trouble:
    """`bad` is how likely a call fails: little as a rule, much while a broker is in trouble."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.bad = 0.0

    async def fate(self) -> Fate:
        """Of a commit, after the time that it takes."""
        slow = self.random.random() < self.bad
        await passes(self.random.uniform(0, _SLOW_S if slow else _COMMIT_S))
        if self.random.random() >= self.bad:
            return "well"
        return self.random.choice(("refused", "unknown"))

    async def call(self, what: str) -> None:
        """One that writes nothing; `LogUnavailable`."""
        if await self.fate() != "well":
            raise LogUnavailable(f"expected to {what}, found nobody who answers")

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[None]:
        """A connection, which takes its time to be given back where nobody answers."""
        try:
            yield
        finally:
            if self.random.random() < self.bad:
                await passes(self.random.uniform(0, _GIVEN_BACK_S_MAX))
