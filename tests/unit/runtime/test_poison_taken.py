import asyncio
from typing import Any

from hitl_events import Run, recipe
from hitl_events.domain.events import Source
from hitl_events.ports import InboundRecord
from hitl_events.testing.poison import Poison, Target, poisons
from tests.unit.runtime.conftest import KEYS, Place
from tests.unit.turns import loop_has_come_round

NOWHERE = Source(topic="t", partition=0, offset=0, timestamp_ms=0)


@recipe("gated", version="1")
async def gated(run: Run, input: Any) -> Any:
    return (await run.gate("g", verdicts=("approve", "deny"))).verdict


def _record(poison: Poison) -> InboundRecord:
    return InboundRecord(
        kind=poison.kind,
        key=poison.key,
        value=poison.value,
        is_null=poison.is_null,
        headers=poison.headers,
        channel="topic",
        source=NOWHERE,
    )


async def test_an_engine_keeps_all_poison_whole_and_goes_on(place: Place) -> None:
    """Dead letters byte for byte, with their reasons; the gate takes its decision after."""
    async with asyncio.timeout(100), place.open(gated) as runtime:
        paused = await runtime.run("gated", run_id="target")
        token = paused.token or ""
        sent = poisons(Target(token=token, run_id="target", recipe="gated", keys=KEYS))
        sender = place.log()
        offsets = [await sender.put(_record(poison)) for poison in sent]
        while await sender.answer(offsets[-1]) is None:
            await loop_has_come_round()
        letters = [letter for _, letter in await sender.list(1_000)][::-1]
        outcome = await runtime.decide(token, "approve")
        sender.close()

    kept = [(each.key, each.value, each.headers) for each in letters]
    assert kept == [(each.key, each.value, each.headers) for each in sent]
    assert [each.reason for each in letters] == [each.reason for each in sent]
    assert not any(token in each.message for each in letters)
    assert (outcome.status, outcome.artefact["result"], outcome.seq) == ("ok", "approve", 4)
