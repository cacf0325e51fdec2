"""A process that kills itself with SIGKILL at a named point of the runtime, or recovers.

crash_child.py kill DIRECTORY POINT NTH     runs the script, dies at the NTH pass of POINT
crash_child.py recover DIRECTORY...         runs the same script to its end, prints what it found
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hitl_events import Outcome, Run, Runtime, recipe
from hitl_events.adapters.sqlite import SqliteLog, log as sqlite_log
from hitl_events.engine.engine import Engine
from hitl_events.recipes import values
from hitl_events.runtime.partition import Partition
from hitl_events.runtime.runner import Runner

WAIT_S = 20.0
effects = [Path()]


def note(line: str) -> None:
    """A side effect: one line, on disk when this returns."""
    with effects[0].open("a") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


async def draft(topic: str) -> str:
    """A step that may happen twice."""
    hit("before_step")
    note(f"draft {topic}")
    hit("in_step")
    return f"draft of {topic}"


def publish(text: str) -> str:
    """The step that must not."""
    hit("before_step")
    note(f"publish {text}")
    hit("in_step")
    return text.upper()


@recipe("note", version="1")
async def note_recipe(run: Run, topic: str) -> str:
    """A step, a gate, and an action that must not happen twice."""
    text = await run.step(draft, topic)
    review = await run.gate("review", draft=text)
    return await run.step(publish, text, once=True) if review.verdict == "approve" else "no"


@recipe("clock", version="1")
async def clock_recipe(run: Run, topic: str) -> str:
    """A gate that the clock decides."""
    review = await run.gate("late", draft=topic, expires_in=0.02, on_expiry="deny")
    return review.verdict


# killing

_left: dict[str, int] = {}


def hit(point: str) -> None:
    """Die here if it is the place and the pass."""
    if point in _left:
        _left[point] -= 1
        if _left[point] == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def around(owner: Any, name: str, before: str | None = None, after: str | None = None) -> None:
    """Pass points before and after a function of the runtime."""
    inner: Callable[..., Any] = getattr(owner, name)

    if inspect.iscoroutinefunction(inner):

        async def waits(*args: Any, **kwargs: Any) -> Any:
            hit(before or "")
            result = await inner(*args, **kwargs)
            hit(after or "")
            return result

        setattr(owner, name, waits)
        return

    def calls(*args: Any, **kwargs: Any) -> Any:
        hit(before or "")
        result = inner(*args, **kwargs)
        hit(after or "")
        return result

    setattr(owner, name, calls)


def arm(point: str, nth: int) -> None:
    """Put the points into the runtime, and choose the one to die at."""
    _left[point] = nth
    around(SqliteLog, "load", "before_load", "after_load")
    around(Engine, "take", "before_take", "after_take")
    around(sqlite_log, "write_values", "before_values", "after_values")
    around(sqlite_log, "write_positions", None, "after_positions")
    around(SqliteLog, "append", None, "after_append")
    around(Engine, "settle", "before_settle", "after_settle")
    around(Runner, "_follow", "before_answer", "after_answer")
    around(Runner, "_restore", "before_restore", "after_restore")
    around(Runner, "_fire", "before_expiry", "after_expiry")
    around(values, "dump", "after_body")
    around(Partition, "close", "at_close")
    around(SqliteLog, "put", "before_put", "after_put")


# the script


def acknowledge(what: str) -> None:
    """Tell the parent, who will hold us to it."""
    sys.stdout.write(what + "\n")
    sys.stdout.flush()


async def script(directory: Path) -> Outcome:
    """What a caller does, with ids, so that it can do all of it again after a crash."""
    recipes = [note_recipe, clock_recipe]
    async with (
        Runtime.open(directory, recipes=recipes) as other,
        # a second opening of the same log: its commands go through the intake
        Runtime.open(directory, recipes=recipes) as runtime,
    ):
        clock = asyncio.create_task(other.run("clock", "tick", "c1"))
        paused = await runtime.run("note", "cats", "n1")
        acknowledge("started")
        await clock
        done = await settle(other, paused)
        acknowledge("done")
        async with asyncio.timeout(WAIT_S):
            while (await other.outcome("c1")).status == "paused":
                await _looked_away()
    return done


async def _looked_away() -> None:
    """The real clock goes on, and what waits for it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()


async def settle(runtime: Runtime, outcome: Outcome) -> Outcome:
    """Approve; where a crash left an uncertain step, say what the side effects show."""
    while outcome.status == "paused":
        token = outcome.token or ""
        if outcome.pause_kind == "reconcile":
            happened = "publish draft of cats" in effects[0].read_text().splitlines()
            verdict = "happened" if happened else "did_not_happen"
            data = {"output": "DRAFT OF CATS"} if happened else None
            outcome = await runtime.decide(token, verdict, data=data)
        else:
            outcome = await runtime.decide(token, "approve", decision_id="d1")
            acknowledge("approved")
    return outcome


async def found(directory: Path) -> dict[str, Any]:
    """The script again, to its end, and everything that an auditor asks for."""
    outcome = await script(directory)
    async with Runtime.open(directory) as runtime:
        kinds: dict[str, list[str]] = {}
        for run_id in ("n1", "c1"):
            kinds[run_id] = [type(event).__name__ async for event in runtime.events(run_id)]
    return {
        "status": outcome.status,
        "result": outcome.artefact["result"],
        "kinds": kinds,
        "effects": effects[0].read_text().splitlines(),
    }


def main() -> None:
    """Kill or recover, as asked."""
    mode, *rest = sys.argv[1:]
    if mode == "kill":
        directory = Path(rest[0])
        effects[0] = directory.with_suffix(".effects")
        effects[0].touch()
        arm(rest[1], int(rest[2]))
        asyncio.run(script(directory))
        return
    for name in rest:
        effects[0] = Path(name).with_suffix(".effects")
        report = asyncio.run(found(Path(name)))
        sys.stdout.write("REPORT " + json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
