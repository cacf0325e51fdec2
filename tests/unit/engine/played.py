"""Recipes that the engine plays."""

from typing import Any

from hitl_events import Run, recipe

RAN: list[str] = []


def step(name: str) -> str:
    RAN.append(name)
    return name


@recipe("r", version="1")
async def gated(run: Run, input: Any) -> Any:
    drafted = await run.step(step, "draft")
    made = await run.gate("g", draft=drafted)
    return [made.verdict, await run.step(step, "publish", once=True)]


@recipe("timed", version="1")
async def timed(run: Run, input: Any) -> Any:
    made = await run.all(
        run.gate("g", expires_in=10, on_expiry="deny"),
        run.gate("h", expires_in=11, on_expiry="deny"),
    )
    return [one.decided_by for one in made]
