import asyncio
from typing import Any

import pytest

from hitl_events import Recipe, Run, Runtime, hitl, recipe
from hitl_events.errors import RecipeError
from hitl_events.recipes.host import set_local_host
from tests.unit.runtime.played import reviewed
from tests.unit.turns import loop_has_come_round


def test_a_handle_runs_by_itself() -> None:
    """`run` and `resume` work without a Runtime, also in event loops of their own."""
    handle = reviewed()

    paused = asyncio.run(handle.run(1))
    ended = asyncio.run(handle.resume(paused.token or "", "approve", notes="n", decided_by="ann"))

    assert ended.artefact["result"] == "approve"
    decision = ended.artefact["gates"]["g"]["decision"]
    assert (decision["notes"], decision["decided_by"]) == ("n", "ann")


def test_a_pause_on_the_local_log_warns() -> None:
    """It is gone with the process: adapter.missing_durability says so, until the run has ended."""
    handle = reviewed()
    paused = asyncio.run(handle.run(1))
    ended = asyncio.run(handle.resume(paused.token or "", "approve"))

    assert ("warn", "adapter.missing_durability") in [
        (one.level, one.code) for one in paused.diagnostics
    ]
    assert ended.diagnostics == []


async def test_strict_runs_nothing_on_a_local_log() -> None:
    """Under strict diagnostics it is an error before anything runs."""
    ran: list[int] = []

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        ran.append(1)

    async with Runtime.open(None, recipes=[body], diagnostics="strict") as runtime:
        outcome = await runtime.run("r")

    assert [(one.level, one.code) for one in outcome.diagnostics] == [
        ("error", "adapter.missing_durability")
    ]
    assert "nothing was run" in outcome.diagnostics[0].message
    assert (outcome.status, ran) == ("error", [])


async def test_a_handle_may_be_used_by_many_at_once() -> None:
    """Calls at the same time share one runtime: none cuts the other's steps."""
    ran: list[int] = []
    together = asyncio.Barrier(4)

    async def step(value: int) -> int:
        ran.append(value)
        await together.wait()
        return value

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        return await run.step(step, input, once=True)

    async with asyncio.timeout(20):
        outcomes = await asyncio.gather(*(body.run(at) for at in range(4)))

    assert [outcome.artefact["result"] for outcome in outcomes] == [0, 1, 2, 3]
    assert sorted(ran) == [0, 1, 2, 3]


async def test_nothing_of_it_is_left() -> None:
    """After the last call no task lives on, also when a call was cancelled."""
    hang = asyncio.Event()

    @recipe("r", version="1")
    async def body(run: Run, input: Any) -> Any:
        await run.step(hang.wait, name="hang")

    calls = [asyncio.create_task(body.run(at)) for at in range(2)]
    await loop_has_come_round()
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)

    assert all(call.cancelled() for call in calls)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    hang.set()
    assert (await body.run(3)).status == "ok"


async def test_a_recipe_that_can_not_be_built_says_so() -> None:
    """The mistake is raised to whoever calls, again and again."""
    broken = Recipe("r", version="1")

    for _ in range(2):
        with pytest.raises(RecipeError, match="found none"):
            await broken.run(1)


async def test_a_handle_may_have_a_runtime_of_its_own() -> None:
    """`defaults(runtime=...)` says where its own `run` and `resume` go."""
    handle = Recipe("r", version="1").use(hitl("g"))
    async with Runtime.open(None) as runtime:
        handle.defaults(runtime=runtime)
        paused = await handle.run(1, run_id="a")
        ended = await handle.resume(paused.token or "", "deny")
        known = await runtime.outcome("a")

    assert ended.artefact["result"] == {"gate": "g", "status": "denied"}
    assert known.status == "ok"


def test_a_handle_plans_a_run_of_its_own() -> None:
    """`plan(run_id)` gives the recorded steps, before and after other calls."""
    handle = reviewed()
    asyncio.run(handle.run(1, run_id="a"))

    for _ in range(2):
        nodes = [node.name for node in handle.plan("a").nodes]
        assert nodes == ["aecho", "g"]
        asyncio.run(handle.run(2))


def test_without_a_host_a_handle_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no runtime can be made the error names `.defaults(runtime=...)`."""
    from hitl_events.recipes import host

    monkeypatch.setattr(host, "_factories", [])
    with pytest.raises(RecipeError, match="defaults"):
        asyncio.run(reviewed().run(1))
    assert callable(set_local_host)
