"""Recipes whose runs several processes share."""

from typing import Any

from hitl_events import Run, recipe


async def aecho(value: Any = None) -> Any:
    return value


@recipe("r", version="1")
async def gated(run: Run, input: Any) -> Any:
    drafted = await run.step(aecho, input, name="draft")
    made = await run.gate("g", draft=drafted)
    return [made.verdict, await run.step(aecho, input, name="publish", once=True)]


@recipe("plain", version="1")
async def plain(run: Run, input: Any) -> Any:
    made = await run.gate("g")
    return [made.verdict, await run.step(aecho, input, name="publish")]
