import asyncio
import gc
from contextlib import suppress
from typing import Any

import pytest

from hitl_events import Run, Runtime, recipe
from hitl_events.domain.values import RunId
from hitl_events.errors import CorruptLog, Fenced, LogUnavailable, RunLeft
from hitl_events.runtime import partition
from tests.unit.runtime.conftest import Place
from tests.unit.runtime.played import gated, plain
from tests.unit.turns import loop_has_come_round
from tests.unit.world import story


class Broken:
    """An opening of a log whose `append` raises when it is told to: before or after the write."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self.raises: list[tuple[str, BaseException] | None] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, batch: Any) -> None:
        plan = self.raises.pop(0) if self.raises else None
        if plan is None or plan[0] == "after":
            await self._log.append(batch)
        if plan is not None:
            raise plan[1]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recovery need not be waited for."""
    monkeypatch.setattr(partition, "RECOVER_S", 0.0)


async def test_a_second_process_asks_the_owner(place: Place) -> None:
    """Who does not own the log puts commands into the intake and gets the same outcomes."""
    async with place.open(gated) as owner, place.open(gated) as other, asyncio.timeout(20):
        paused = await other.run("r", 1)
        refused = await other.decide(paused.token or "", "perhaps")
        ended = await other.decide(paused.token or "", "approve", notes="n")
        late = await owner.decide(paused.token or "", "deny")

    assert (paused.status, refused.status, ended.status) == ("paused", "error", "ok")
    assert refused.diagnostics[0].data["reason"] == "unknown_verdict"
    assert ended.artefact["result"] == ["approve", 1]
    assert late.diagnostics[0].data["reason"] == "token_used"


async def test_a_second_process_hears_refusals(place: Place) -> None:
    """Commands that have no place in a run are answered through the intake as well."""
    async with place.open(gated), place.open(gated) as other, asyncio.timeout(20):
        reasons = [
            (await other.run("nobody")).diagnostics[0].data["reason"],
            (await other.decide("hitl_forged", "approve")).diagnostics[0].data["reason"],
            (await other.cancel("nobody")).diagnostics[0].data["reason"],
        ]

    assert reasons == ["unknown_recipe", "invalid_token", "unknown_run"]


async def test_a_second_process_takes_over(place: Place) -> None:
    """When the owner has gone the other serves, and finds what was going on."""
    hang = asyncio.Event()
    begun = asyncio.Event()

    async def slow() -> str:
        begun.set()
        await hang.wait()
        return "done"

    @recipe("slow", version="1")
    async def body(run: Run, input: Any) -> Any:
        return await run.step(slow)

    async with asyncio.timeout(20), place.open(body, gated) as other:
        async with place.open(body, gated) as owner:
            pass
        del owner
        outcome = await other.run("r", 2)
        assert outcome.status == "paused"
    async with asyncio.timeout(20):
        async with place.open(body) as first, place.open(body) as second:
            call = asyncio.create_task(second.run("slow", run_id="a"))
            await begun.wait()
            hang.set()
            assert (await call).artefact["result"] == "done"
        del first


async def test_a_waiting_process_goes_on_when_the_owner_dies(place: Place) -> None:
    """A caller that waits for another process's step becomes the owner and runs it itself."""
    begun: list[str] = []
    has_begun = asyncio.Event()

    def made(name: str, *, hangs: bool) -> Any:
        async def slow() -> str:
            begun.append(name)
            has_begun.set()
            if hangs:
                await asyncio.Event().wait()
            return name

        @recipe("slow", version="1")
        async def body(run: Run, input: Any) -> Any:
            return await run.step(slow)

        return body

    async with asyncio.timeout(20):
        owner = place.open(made("owner", hangs=True), drain_s=0)
        await owner.__aenter__()
        async with place.open(made("other", hangs=False)) as other:
            call = asyncio.create_task(other.run("slow", run_id="a"))
            await has_begun.wait()
            await owner.__aexit__(None, None, None)
            outcome = await call

    assert begun == ["owner", "other"]
    assert outcome.artefact["result"] == "other"


async def test_racing_processes_have_one_winner(place: Place) -> None:
    """Six runtimes decide the same token at the same time: one wins, five are told who."""
    async with place.open(gated) as owner:
        paused = await owner.run("r", 1)
    async with asyncio.timeout(30):
        found = await asyncio.gather(
            *(_decide_alone(place, paused.token or "", f"p{at}") for at in range(6))
        )

    winners = [name for name, outcome in found if outcome.status == "ok"]
    told = {
        outcome.diagnostics[0].data["winner"]["decided_by"]
        for _, outcome in found
        if outcome.status == "error"
    }
    assert len(winners) == 1
    assert told == set(winners)


async def _decide_alone(place: Place, token: str, name: str) -> tuple[str, Any]:
    async with place.open(gated) as runtime:
        return name, await runtime.decide(token, "approve", decided_by=name)


async def test_a_log_that_can_not_be_written_is_taken_up_again(place: Place) -> None:
    """A full disk fails the calls of that batch and no more; nothing of it was recorded."""
    log = Broken(place.log())
    async with place.open(gated, log=log) as runtime, asyncio.timeout(20):
        paused = await runtime.run("r", 1, run_id="a")
        log.raises = [("before", LogUnavailable("the disk is full"))]
        with pytest.raises(LogUnavailable, match="full"):
            await runtime.decide(paused.token or "", "approve")
        assert story(await runtime.history(RunId("a")))[-1] == "GatePaused g"
        again = await runtime.decide(paused.token or "", "approve")

    assert again.artefact["result"] == ["approve", 1]


async def test_what_was_running_runs_again_after_a_failed_commit(place: Place) -> None:
    """A step under way when the log fails is begun anew; a once step is asked for."""
    log = Broken(place.log())
    hang = asyncio.Event()
    begun: list[int] = []
    both = asyncio.Event()

    async def slow() -> None:
        begun.append(1)
        if len(begun) == 2:
            both.set()
        await hang.wait()

    @recipe("slow", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.all(run.step(slow), run.step(slow, name="sent", once=True))

    async with place.open(body, gated, log=log) as runtime, asyncio.timeout(20):
        call = asyncio.create_task(runtime.run("slow", run_id="a"))
        await both.wait()
        log.raises = [("before", LogUnavailable("the disk is full"))]
        with pytest.raises(LogUnavailable):
            await runtime.run("r", 1)
        with pytest.raises(LogUnavailable):
            await call
        hang.set()
        outcome = await runtime.run("slow", run_id="a")

    assert len(begun) == 3
    assert outcome.pause_kind == "reconcile"


async def test_who_waits_for_a_run_when_the_log_fails_is_told_its_id(place: Place) -> None:
    """The start was recorded: typed again without that id it would be a second run."""
    log = Broken(place.log())

    async def fill() -> None:
        log.raises = [("before", LogUnavailable("the disk is full"))]

    @recipe("filling", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(fill, once=True)

    async with place.open(body, log=log) as runtime, asyncio.timeout(20):
        with pytest.raises(RunLeft, match="the disk is full; but the command was recorded") as held:
            await runtime.run("filling")
        again = await runtime.run("filling", run_id=held.value.run_id)

    assert again.pause_kind == "reconcile"


async def test_an_unknown_end_of_a_commit_is_read_from_the_log(place: Place) -> None:
    """Where `append` raises although it has written, the decision counts, once."""
    log = Broken(place.log())
    async with place.open(plain, log=log) as runtime, asyncio.timeout(20):
        paused = await runtime.run("plain", 1, run_id="a")
        log.raises = [("after", LogUnavailable("lost the answer"))]
        with pytest.raises(LogUnavailable):
            await runtime.decide(paused.token or "", "approve", decision_id="d")
        again = await runtime.decide(paused.token or "", "approve", decision_id="d")
        events = story(await runtime.history(RunId("a")))

    assert again.artefact["result"] == ["approve", 1]
    assert [line for line in events if "Decision" in line] == ["DecisionReceived g approve"]


async def test_an_intent_whose_commit_has_an_unknown_end_is_asked_for(place: Place) -> None:
    """A once step whose StepStarted was written by such a commit has not begun; a human says so."""
    log = Broken(place.log())
    async with place.open(gated, log=log) as runtime, asyncio.timeout(20):
        paused = await runtime.run("r", 1, run_id="a")
        log.raises = [("after", LogUnavailable("lost the answer"))]
        with pytest.raises(LogUnavailable):
            await runtime.decide(paused.token or "", "approve", decision_id="d")
        asked = await runtime.decide(paused.token or "", "approve", decision_id="d")
        ended = await runtime.decide(asked.token or "", "did_not_happen")

    assert asked.pause_kind == "reconcile"
    assert ended.artefact["result"] == ["approve", 1]


async def test_a_start_whose_commit_failed_can_be_made_again(place: Place) -> None:
    """A start that was not recorded left nothing: the same id starts anew."""
    log = Broken(place.log())
    log.raises = [("before", LogUnavailable("the disk is full"))]
    async with place.open(gated, log=log) as runtime, asyncio.timeout(20):
        with pytest.raises(LogUnavailable):
            await runtime.run("r", 1, run_id="a")
        again = await runtime.run("r", 1, run_id="a")

    assert (again.status, again.seq) == ("paused", 3)


async def test_a_call_while_it_recovers_waits(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that comes in while the log is being taken up again is answered after that."""
    monkeypatch.setattr(partition, "RECOVER_S", 0.05)
    log = Broken(place.log())
    log.raises = [("before", LogUnavailable("the disk is full"))]
    async with place.open(gated, log=log) as runtime, asyncio.timeout(20):
        with pytest.raises(LogUnavailable):
            await runtime.run("r", 1)
        outcome = await runtime.run("r", 2)

    assert outcome.status == "paused"


async def test_failures_are_told_to_those_who_wait_and_to_nobody_else(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """All calls of a failed batch get the error; none is logged as never retrieved."""
    log = Broken(place.log())
    async with place.open(gated, log=log) as runtime, asyncio.timeout(20):
        log.raises = [("before", LogUnavailable("the disk is full"))]
        calls = [asyncio.create_task(runtime.run("r", at)) for at in range(5)]
        forgotten = asyncio.create_task(runtime.run("r", 9))
        await loop_has_come_round()
        forgotten.cancel()
        found = await asyncio.gather(*calls, return_exceptions=True)
    del calls, forgotten
    gc.collect()

    assert {type(error) for error in found} == {LogUnavailable}
    assert caplog.records == []


async def test_a_corrupt_log_stops_the_runtime_loudly(place: Place) -> None:
    """What is no event of ours ends every call with CorruptLog."""

    class Corrupt(Broken):
        async def load(self, run_ids: Any) -> Any:
            found = await self._log.load(run_ids)
            return {run_id: (*values[:-1], values[-1][:-1]) for run_id, values in found.items()}

    async with place.open(gated) as runtime:
        paused = await runtime.run("r", 1, run_id="a")
    async with place.open(gated, log=Corrupt(place.log())) as runtime, asyncio.timeout(20):
        for _ in range(2):
            with pytest.raises(CorruptLog):
                await runtime.decide(paused.token or "", "approve")


async def test_a_stale_owner_appends_nothing(place: Place) -> None:
    """An owner that was fenced answers with an error, and the runs go on elsewhere."""
    log = place.log()
    async with place.open(gated, log=log) as runtime, asyncio.timeout(20):
        paused = await runtime.run("r", 1, run_id="a")
        _take_over(log, place)
        outcome = await _patient(runtime, paused.token or "")

    assert outcome.artefact["result"] == ["approve", 1]


def _take_over(log: Any, place: Place) -> None:
    """Another opening becomes the owner behind the first one's back, and goes again."""
    other = place.log()
    if hasattr(log, "usurp"):
        log.usurp()
    else:
        log._owner._lock.release()
    assert other.try_own()
    other.close()


async def _patient(runtime: Runtime, token: str) -> Any:
    """Decide until the fenced runtime owns the log again."""
    while True:
        with suppress(Fenced, LogUnavailable):
            return await runtime.decide(token, "approve", decision_id="d")
