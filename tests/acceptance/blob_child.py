"""A process that writes a large draft and kills itself with SIGKILL at a named point.

blob_child.py DIRECTORY POINT     POINT is `none` for one that does not
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from hitl_events import Run, Runtime, recipe
from hitl_events.adapters.blobs import files
from hitl_events.adapters.sqlite import log as sqlite_log

SIZE = 300_000


def write(mark: str) -> dict[str, Any]:
    """A draft that no event holds."""
    return {"mark": mark, "text": "clause by clause " * (SIZE // 17)}


def publish(draft: dict[str, Any]) -> str:
    """What is done with it."""
    return f"published {draft['mark']} of {len(draft['text'])}"


@recipe("large", version="1")
async def large(run: Run, mark: str) -> Any:
    """A large draft, its review, its publication."""
    draft = await run.step(write, mark)
    await run.gate("review", draft=draft)
    return await run.step(publish, draft)


def die() -> None:
    """As a power cut does."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str) -> None:
    """Die there; nothing for another name."""
    places: dict[str, tuple[Any, str, bool]] = {
        "before_blob": (files.FileBlobs, "write", True),
        "before_named": (files, "_place", True),
        "half_written": (os, "fsync", True),
        "after_named": (files, "_place", False),
        "after_blob": (files.FileBlobs, "write", False),
        "after_append": (sqlite_log, "write_positions", False),
    }
    if point in places:
        owner, name, before = places[point]
        setattr(owner, name, _dying(getattr(owner, name), before=before))


def _dying(inner: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
    @wraps(inner)
    def calls(*args: Any, **kwargs: Any) -> Any:
        if before:
            die()
        inner(*args, **kwargs)
        die()

    return calls


async def main(directory: Path, point: str) -> None:
    """Start the run and decide, as far as that was not done."""
    async with Runtime.open(directory, recipes=[large]) as runtime:
        if point != "after_append":
            arm(point)
        outcome = await runtime.run("large", "a", "r1")
        if outcome.token is not None:
            arm(point)
            outcome = await runtime.decide(outcome.token, "approve", decision_id="d1")
        sys.stdout.write(str(outcome.artefact["result"]))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
