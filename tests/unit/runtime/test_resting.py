"""What can wait is done in moments in which nothing comes in, before anybody idles."""

import asyncio
from typing import Any

from hitl_events import Run, recipe
from hitl_events.errors import LogUnavailable
from tests.unit.runtime.conftest import Place
from tests.unit.turns import loop_has_come_round


class Log:
    """An opening that has some pieces of work for such moments; the last may fail."""

    def __init__(self, log: Any, pieces: int, error: Exception | None = None) -> None:
        self._log = log
        self._pieces = pieces
        self._error = error
        self.story: list[str] = []
        self.rested = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, batch: Any) -> None:
        self.story.append("batch")
        await self._log.append(batch)

    async def rest(self, now_s: float) -> bool:
        self._pieces -= 1
        if self._pieces < 0:
            self.rested.set()
            return False
        if self._pieces == 0 and self._error is not None:
            raise self._error
        self.story.append("rest")
        await loop_has_come_round()
        return True


@recipe("gated", version="1")
async def gated(run: Run, input: Any) -> Any:
    return (await run.gate("g")).verdict


async def test_rest_is_taken_piece_by_piece_until_nothing_is_left(place: Place) -> None:
    """Then the partition idles, and serves as before."""
    log = Log(place.log(), pieces=3)
    async with place.open(gated, log=log) as runtime:
        started = await runtime.run("gated", run_id="a")
        await asyncio.wait_for(log.rested.wait(), 10)
        ended = await runtime.decide(started.token or "", "approve")

    assert ended.status == "ok"
    assert log.story.count("rest") == 3


async def test_who_comes_amid_rest_is_served_between_two_pieces(place: Place) -> None:
    """However many pieces are left: what came in goes first."""
    log = Log(place.log(), pieces=1_000_000)
    async with place.open(gated, log=log) as runtime:
        started = await runtime.run("gated", run_id="a")
        ended = await runtime.decide(started.token or "", "approve")

    assert ended.status == "ok"
    assert not log.rested.is_set()


async def test_a_rest_that_fails_ends_the_ownership_and_nobody_is_lost(place: Place) -> None:
    """What became of its transaction is not known: the next owner goes by the log."""
    log = Log(place.log(), pieces=1, error=LogUnavailable("expected a broker, found none"))
    async with place.open(gated, log=log) as runtime:
        outcomes = [await runtime.run("gated", run_id=run_id) for run_id in ("a", "b")]

    assert [outcome.status for outcome in outcomes] == ["paused", "paused"]
