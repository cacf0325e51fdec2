"""Owners that come for one run and go."""

import asyncio
from typing import Any

from hitl_events import Run, Runtime, recipe
from hitl_events.domain.values import RunId
from hitl_events.embedded import Setting
from tests.unit.runtime.conftest import Place
from tests.unit.runtime.played import gated
from tests.unit.world import story


async def test_a_short_lived_owner_fires_only_its_own_timers(place: Place) -> None:
    """Gates of other runs stay open although they are overdue; the next full owner expires them."""

    @recipe("timed", version="1")
    async def timed(run: Run, input: Any) -> Any:
        return (await run.gate("g", expires_in=10, on_expiry="deny")).verdict

    async with place.open(timed) as runtime:
        for name in ("mine", "other"):
            await runtime.run("timed", run_id=name)
    place.clock.advance(11)
    async with place.open(timed, only_own=True) as runtime, asyncio.timeout(20):
        mine = await runtime.run("timed", run_id="mine")
        other = await runtime.outcome("other")

    assert (mine.status, other.status) == ("ok", "paused")


async def test_a_short_lived_owner_settles_the_intake(place: Place) -> None:
    """A decision there for another run is recorded; that run goes on with a full owner."""
    begun: list[str] = []

    async def publish(name: str) -> None:
        begun.append(name)

    @recipe("p", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.gate("g")
        await run.step(publish, run.id)

    async with place.open(body) as runtime:
        paused = [await runtime.run("p", run_id=name) for name in ("mine", "other")]
    await _put_decision(place, paused[1].token or "")
    async with place.open(body, only_own=True) as runtime, asyncio.timeout(20):
        mine = await runtime.decide(paused[0].token or "", "approve")
        other = story(await runtime.history(RunId("other")))
    assert (mine.status, begun) == ("ok", ["mine"])
    assert other[-1] == "DecisionReceived g approve"
    async with place.open(body) as runtime, asyncio.timeout(20):
        assert (await runtime.run("p", run_id="other")).status == "ok"


async def _put_decision(place: Place, token: str) -> None:
    """A decision in the intake that no owner has seen."""
    from hitl_events.adapters.inbound import decision_json
    from hitl_events.domain.events import Source
    from hitl_events.ports import InboundRecord

    log = place.log()
    nowhere = Source(topic="", partition=0, offset=0, timestamp_ms=0)
    value = decision_json(token=token, verdict="approve")
    await log.put(InboundRecord(kind="decision", value=value, channel="cli", source=nowhere))
    log.close()


async def test_a_decision_in_the_intake_before_the_deadline_wins(place: Place) -> None:
    """It arrived in time, when no owner lived: the next takes it before it fires the timer."""

    @recipe("timed", version="1")
    async def timed(run: Run, input: Any) -> Any:
        return (await run.gate("g", expires_in=10, on_expiry="deny")).verdict

    async with place.open(timed) as runtime:
        paused = await runtime.run("timed", run_id="a")
    place.clock.advance(9)
    await _put_decision(place, paused.token or "")
    place.clock.advance(3600)
    async with place.open(timed) as runtime, asyncio.timeout(20):
        outcome = await runtime.run("timed", run_id="a")

    assert outcome.artefact["result"] == "approve"


async def test_a_setting_without_a_log_has_a_process_local_one() -> None:
    """Without a path the log is in memory, and a pause says that it will not last."""
    async with Runtime.open(recipes=[gated], setting=Setting()) as runtime:
        outcome = await runtime.run("r", 1)

    codes = [(one.level, one.code) for one in outcome.diagnostics]
    assert codes == [("info", "gate.pending"), ("warn", "adapter.missing_durability")]
