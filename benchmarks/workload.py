"""The run that is measured: a step, a gate that shows its value, a step; values of 200 B."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from hitl_events import Run, Runtime, recipe

VALUE_BYTES = 200
_DRAWN = random.Random(4711)
_WORDS = [
    "".join(_DRAWN.choices("abcdefghijklmnopqrstuvwxyz", k=_DRAWN.randint(2, 9)))
    for _ in range(2_000)
]
_T = TypeVar("_T")


def _text() -> dict[str, str]:
    """A JSON object of 200 B: text of words, so it deflates about as text does."""
    room = VALUE_BYTES - len('{"text":""}')
    return {"text": " ".join(_DRAWN.choices(_WORDS, k=100))[:room]}


_VALUES = [_text() for _ in range(4_096)]


async def write(request: dict[str, Any]) -> dict[str, Any]:
    """The first step."""
    number: int = request["number"]
    return _VALUES[number % len(_VALUES)]


async def publish(draft: dict[str, Any], number: int) -> dict[str, Any]:
    """The step after the gate."""
    return _VALUES[(number + len(draft)) * 7 % len(_VALUES)]


@recipe("benchmark", version="1")
async def reviewed(run: Run, request: dict[str, Any]) -> dict[str, Any]:
    """The recipe that is measured."""
    draft = await run.step(write, request)
    await run.gate("review", draft=draft)
    published: dict[str, Any] = await run.step(publish, draft, request["number"])
    return published


@recipe("decided", version="1")
async def decided(run: Run, request: dict[str, Any]) -> str:
    """As `reviewed`, but over with the decision: one commit."""
    draft = await run.step(write, request)
    return (await run.gate("review", draft=draft)).verdict


@asynccontextmanager
async def runtime_in(folder: Path) -> AsyncGenerator[Runtime]:
    """A runtime on a real data directory."""
    async with Runtime.open(folder, recipes=[reviewed, decided]) as runtime:
        yield runtime


async def start(runtime: Runtime, number: int, name: str = "benchmark") -> str:
    """Start a run and bring it to its pause; returns the token."""
    outcome = await runtime.run(name, {"number": number})
    assert outcome.status == "paused", outcome.diagnostics
    assert outcome.token is not None
    return outcome.token


async def decide(runtime: Runtime, token: str) -> None:
    """Approve, and bring the run to its end."""
    outcome = await runtime.decide(token, "approve")
    assert outcome.status == "ok", outcome.diagnostics


async def at_once(
    count: int, items: Iterable[_T], call: Callable[[_T], Awaitable[Any]]
) -> list[Any]:
    """Call with every item, `count` calls under way at any time; results as they come."""
    waiting = iter(items)
    results: list[Any] = []

    async def caller() -> None:
        for item in waiting:
            results.append(await call(item))  # noqa: PERF401 - in the order of their ends

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(caller())
    return results
