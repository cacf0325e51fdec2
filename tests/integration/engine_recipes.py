"""Recipes of the engines under test. What a step does outside is a line in a file."""

import asyncio
import os
from pathlib import Path
from typing import Any

from hitl_events import GateExpired, Run, current_step, recipe

EFFECTS = "EFFECTS"


async def draft(request: Any) -> Any:
    return {"text": "draft", "request": request}


def publish(drafted: Any) -> Any:
    with Path(os.environ[EFFECTS]).open("a") as file:
        file.write(f"{current_step().key}\n")
    return drafted


@recipe("reviewed", version="1")
async def reviewed(run: Run, request: Any) -> Any:
    drafted = await run.step(draft, request)
    review = await run.gate("review", draft=drafted)
    if review.verdict == "deny":
        return "denied"
    return await run.step(publish, drafted, once=True)


def hold(request: Any) -> Any:
    """At work until somebody writes to the pipe of its run."""
    effects, key = Path(os.environ[EFFECTS]), current_step().key
    with effects.open("a") as file:
        file.write(f"{key}\n")
    return (effects.parent / f"pipe-{key.partition(':')[0]}").read_text()


@recipe("held", version="1")
async def held(run: Run, request: Any) -> Any:
    return await run.step(hold, request, once=True)


async def never(request: Any) -> None:
    """At work for ever."""
    with Path(os.environ[EFFECTS]).open("a") as file:
        file.write(f"{current_step().key}\n")
    await asyncio.Event().wait()


@recipe("endless", version="1")
async def endless(run: Run, request: Any) -> Any:
    return await run.step(never, request, once=True)


@recipe("timed", version="1")
async def timed(run: Run, request: Any) -> Any:
    return (await run.gate("review", expires_in=1, on_expiry="deny")).verdict


@recipe("lasting", version="1")
async def lasting(run: Run, request: Any) -> Any:
    try:
        return (await run.gate("review", expires_in=request["seconds"])).verdict
    except GateExpired:
        return "expired"
