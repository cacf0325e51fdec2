"""Taking up what the process before left: beside whoever comes now, not before."""

import asyncio
from typing import Any

import pytest

from hitl_events import Run, recipe
from hitl_events.domain.values import RunId
from hitl_events.engine.turn import Turn
from hitl_events.runtime import runner as module
from tests.unit.runtime.conftest import Place
from tests.unit.turns import loop_has_come_round


@recipe("endless", version="1")
async def endless(run: Run, input: Any) -> Any:
    return await run.step(asyncio.Event().wait, name="wait")


@recipe("quick", version="1")
async def quick(run: Run, input: Any) -> Any:
    return "done"


class Watching:
    """Keeps which runs each turn touched."""

    def __init__(self) -> None:
        self.turns: list[set[str]] = []

    def committed(self, turn: Turn, commit_s: float) -> None:
        self.turns.append({str(run_id) for run_id in turn.touched})

    def fault(self, run_id: RunId | None, error: Exception) -> None:
        raise error


async def test_who_comes_now_does_not_wait_for_all_that_is_taken_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that finds much work answers new commands in its first turns."""
    monkeypatch.setattr(module, "WAKES_PER_TURN", 1)
    async with asyncio.timeout(20), place.open(endless, drain_s=0) as runtime:
        calls = [asyncio.ensure_future(runtime.run("endless", run_id=each)) for each in "abc"]
        while len([each async for each in runtime.events("c")]) < 1:
            await loop_has_come_round()
    await asyncio.wait(calls)
    assert all(call.exception() for call in calls)

    watching = Watching()
    async with (
        asyncio.timeout(20),
        place.open(endless, quick, observer=watching, drain_s=0) as runtime,
    ):
        assert (await runtime.run("quick", run_id="new")).status == "ok"
        while not any("c" in touched for touched in watching.turns):
            await loop_has_come_round()

    assert watching.turns == [{"a", "new"}, {"b"}, {"c"}]
