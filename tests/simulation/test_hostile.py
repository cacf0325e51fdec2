"""Whoever misbehaves harms nobody but their own run, and hears what was wrong."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from hitl_events import (
    Outcome,
    Recipe,
    Retry,
    Run,
    Runtime,
    recipe,
)

LONE = "\ud800"
"""A lone surrogate: what an argument of a command becomes whose bytes are not UTF-8."""
HANGS_S = 10.0


class Strange:
    """A type that no JSON fits."""


class Picky(BaseModel):
    """Its validator raises what pydantic does not expect."""

    word: str

    @field_validator("word")
    @classmethod
    def known(cls, word: str) -> str:
        """KeyError for anything but `yes`."""
        return {"yes": word}[word]


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


async def fine(given: Any) -> Any:
    """Gives back what it gets."""
    return given


async def bad_name(_: Any) -> None:
    """Fails on a file whose name is no Unicode."""
    raise FileNotFoundError(f"no file {LONE}")


async def mute(_: Any) -> None:
    """Fails without words."""
    raise Mute


async def cancels_itself(_: Any) -> None:
    """Lets the cancellation of something of its own out."""
    task = asyncio.create_task(asyncio.Event().wait())
    task.cancel()
    await task


async def leaves(_: Any) -> None:
    """Would end the process."""
    raise SystemExit(3)


def _failing(name: str, step: Callable[..., Any]) -> Recipe:
    @recipe(name, version="1")
    async def body(run: Run, request: Any) -> Any:
        return await run.step(step, request)

    return body


@recipe("raises", version="1")
async def raises(run: Run, request: Any) -> Any:
    """Raises what no record can hold."""
    raise ValueError(LONE)


@recipe("exits", version="1")
async def exits(run: Run, request: Any) -> Any:
    """Raises what would end the process."""
    await run.step(fine, request)
    raise SystemExit(3)


@recipe("cancelled-inside", version="1")
async def cancelled_inside(run: Run, request: Any) -> Any:
    """Raises what would end the runner."""
    raise asyncio.CancelledError


@recipe("times-out", version="1")
async def times_out(run: Run, request: Any) -> Any:
    """Uses the clock of the loop."""
    async with asyncio.timeout(0.01):
        return await run.gate("g")


def _asking(name: str, ask: Callable[[Run], Awaitable[Any]]) -> Recipe:
    @recipe(name, version="1")
    async def body(run: Run, request: Any) -> Any:
        await run.step(fine, request)
        return await ask(run)

    return body


FAILING = (
    _failing("bad-name", bad_name),
    _failing("mute", mute),
    _failing("cancels-itself", cancels_itself),
    _failing("leaves", leaves),
    raises,
    exits,
    cancelled_inside,
    _asking("gate-name", lambda run: run.gate(LONE)),
    _asking("step-name", lambda run: run.step(fine, 1, name=LONE)),
    _asking("verdict", lambda run: run.gate("g", verdicts=(LONE,))),
    _asking("data-type", lambda run: run.gate("g", data=Strange)),
    _asking("far", lambda run: run.gate("g", expires_in=timedelta(days=4_000_000))),
    _asking("pause", lambda run: run.step(bad_name, 1, retry=Retry(2, initial_s=1e15, max_s=1e15))),
    _asking("nan", lambda run: run.step(fine, 1, timeout_s=float("nan"))),
)


@recipe("good", version="1")
async def good(run: Run, request: Any) -> Any:
    """A neighbour."""
    decision = await run.gate("g", draft=request)
    return decision.verdict


@recipe("stubborn", version="1")
async def stubborn(run: Run, request: Any) -> Any:
    """Raises when it is closed."""
    try:
        await run.gate("g")
    finally:
        raise ValueError("not yet")


@recipe("picky", version="1")
async def picky(run: Run, request: Any) -> Any:
    """Takes data of a picky model."""
    decision = await run.gate("g", data=Picky)
    return decision.data.word if decision.data else None


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    """A runtime with all of them."""
    async with Runtime.open(None, recipes=[*FAILING, times_out, good, stubborn, picky]) as opened:
        yield opened


async def _bounded(waiting: Awaitable[Outcome]) -> Outcome:
    async with asyncio.timeout(HANGS_S):
        return await waiting


@pytest.mark.parametrize("handle", FAILING, ids=lambda handle: handle.name)
async def test_a_bad_recipe_fails_alone(runtime: Runtime, handle: Recipe) -> None:
    """Whatever a recipe or its step does, its run ends with an error and the neighbour goes on."""
    neighbour = await runtime.run("good", 1)

    outcome = await _bounded(runtime.run(handle.name, 1))

    assert outcome.status == "error"
    assert outcome.diagnostics[0].code in {"step.failed", "recipe.failed"}
    assert (await _bounded(runtime.decide(neighbour.token or "", "approve"))).status == "ok"


async def test_a_recipe_that_uses_the_loop_is_blocked_alone(runtime: Runtime) -> None:
    """It can go on once it is mended, and the neighbour goes on at once."""
    neighbour = await runtime.run("good", 1)

    outcome = await _bounded(runtime.run(times_out.name, 1))

    assert outcome.diagnostics[0].code == "recipe.foreign_await"
    assert (await _bounded(runtime.decide(neighbour.token or "", "approve"))).status == "ok"


@pytest.mark.parametrize("field", ["decision_id", "notes", "decided_by", "draft_digest"])
async def test_strange_text_in_a_decision_is_refused(runtime: Runtime, field: str) -> None:
    """Text that no record can hold is a refusal, and the good token still works after it."""
    paused = await runtime.run("good", 1)
    token = paused.token or ""
    fields: dict[str, Any] = {field: LONE}

    refused = await _bounded(runtime.decide(token, "approve", **fields))

    assert refused.diagnostics[0].data["reason"] == "invalid_decision"
    assert (await _bounded(runtime.decide(token, "approve"))).status == "ok"


async def test_strange_text_in_a_command_is_refused(runtime: Runtime) -> None:
    """So it is in the name of a recipe, a reason and a name."""
    paused = await runtime.run("good", 1)
    run_id = paused.run_id or ""

    refused = [
        await _bounded(runtime.run(LONE, 1)),
        await _bounded(runtime.run("good", LONE)),
        await _bounded(runtime.run("good", 1, run_id=LONE)),
        await _bounded(runtime.cancel(run_id, LONE)),
        await _bounded(runtime.unblock(run_id, by=LONE)),
    ]

    assert {each.diagnostics[0].data["reason"] for each in refused} == {"invalid_command"}
    assert (await runtime.outcome(run_id)).status == "paused"


async def test_a_recipe_that_raises_when_it_is_closed_can_be_cancelled(runtime: Runtime) -> None:
    """What a `finally` raises does not keep a run alive, nor does it reach anybody."""
    paused = await runtime.run("stubborn", 1)

    cancelled = await _bounded(runtime.cancel(paused.run_id or "", "enough"))

    assert cancelled.diagnostics[0].code == "run.cancelled"


async def test_a_validator_that_raises_refuses_the_data(runtime: Runtime) -> None:
    """Data on which the gate's own model raises is invalid; the gate stays open for better."""
    paused = await runtime.run("picky", 1)
    token = paused.token or ""

    refused = await _bounded(runtime.decide(token, "approve", data={"word": "no"}))

    assert refused.diagnostics[0].data["reason"] == "invalid_data"
    taken = await _bounded(runtime.decide(token, "approve", data={"word": "yes"}))
    assert taken.artefact["result"] == "yes"


async def test_unblocking_what_is_not_blocked_tells_how_it_stands(runtime: Runtime) -> None:
    """The caller gets the outcome as it is, and does not wait for ever."""
    paused = await runtime.run("good", 1)

    assert (await _bounded(runtime.unblock(paused.run_id or ""))).status == "paused"
