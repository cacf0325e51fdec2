"""Engines for tests of their callers: a real one, or histories and answers by hand."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hitl_events.adapters.avro import AvroCodec
from hitl_events.domain.values import value
from hitl_events.embedded import Runtime, Setting
from hitl_services.modules import load_recipes
from tests.acceptance.console import HITL, Console
from tests.integration.engine import unclean
from tests.integration.engines import KEYS
from tests.kafka.cluster import Cluster
from tests.kafka.records import Outgoing, Record

ANSWER_S_MAX = 30.0


@value
class Played:
    """A run to its end, decided with `approve` by `anna`, as event values; `token` of its gate."""

    run_id: str
    values: tuple[bytes, ...]
    token: str

    def events(self, prefix: str, start: int = 0, end: int | None = None) -> list[Outgoing]:
        """Records of its events from `start` (counted from 0) to `end`."""
        topic, key = f"{prefix}.events", self.run_id.encode()
        return [Outgoing(topic=topic, key=key, value=each) for each in self.values[start:end]]


PAUSED = 3
"""Events of a `policy` run up to its pause."""


def played(recipes: Path, *run_ids: str) -> list[Played]:
    """Runs of the recipe `policy`, in the order of their start."""
    return asyncio.run(_played(recipes, run_ids))


async def _played(recipes: Path, run_ids: Sequence[str]) -> list[Played]:
    codec = AvroCodec()
    found: list[Played] = []
    handles = load_recipes([str(recipes)])
    async with Runtime.open(None, recipes=handles, setting=Setting(keys=KEYS)) as runtime:
        for run_id in run_ids:
            paused = await runtime.run("policy", {"title": run_id}, run_id)
            assert paused.token is not None
            await runtime.decide(
                paused.token, "approve", decided_by="anna", decision_id=f"d-{run_id}"
            )
            values = [codec.encode(event) async for event in runtime.events(run_id)]
            found.append(Played(run_id=run_id, values=tuple(values), token=paused.token))
    return found


def reply(prefix: str, to: Record, **said: Any) -> Outgoing:
    """The answer to a record, as an engine gives it."""
    body = {"reply": to.named["hitl-reply"].decode(), **said}
    return Outgoing(topic=f"{prefix}.replies", key=to.key, value=json.dumps(body).encode())


Answer = Callable[[Record], Sequence[Outgoing]]


@contextmanager
def standing_in(broker: Cluster, topic: str, answer: Answer) -> Generator[list[Record], None, None]:
    """Answers the next record of a topic; gives what came."""
    came: list[Record] = []

    def work() -> None:
        came.extend(reader.until(bool, ANSWER_S_MAX))
        broker.client().publish(*answer(came[0]))

    with broker.client().reader(topic) as reader:
        reader.to_end()
        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield came
        finally:
            thread.join(ANSWER_S_MAX)


@contextmanager
def engine(console: Console) -> Generator[None, None, None]:
    """A `hitl-engine` with the settings of the console; it ends well and leaves nothing behind."""
    log = console.folder / "engine.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", f"{HITL}-engine"],
            cwd=console.folder,
            env=console.environment,
            stdout=out,
            stderr=out,
        )
    try:
        yield
    finally:
        process.terminate()
        ended = process.wait(ANSWER_S_MAX)
    said = log.read_text(encoding="utf-8")
    assert ended == 0, said
    assert unclean(said.splitlines()) == []
