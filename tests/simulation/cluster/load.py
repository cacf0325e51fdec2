"""What the world outside does with a simulated cluster: starts, decides, and counts effects."""

import asyncio
from collections import Counter
from random import Random
from typing import Any

from hitl_events import Retry, Run, current_step, recipe
from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.inbound import command_json, decision_json
from hitl_events.adapters.memory import MemoryLog
from hitl_events.domain.events import GatePaused, RunCompleted, RunStarted, Source
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId
from hitl_events.ports import InboundKind, InboundRecord
from tests.simulation.cluster.process import PARTITIONS, place_of
from tests.simulation.cluster.virtual_time import passes

LOOK_S = 0.5
SURE_S = 80.0
"""A step outlives its partition by 60 s: who says `did_not_happen` has to be sure by then."""
LONGEST_STEP_S = 20.0
FAILING = 0.2
ATTEMPTS_MAX = 20


class Load:
    """`finished` and `effects` are what it saw."""

    def __init__(self, storage: MemoryLog, keys: TokenKeys, random: Random) -> None:
        self.started: list[RunId] = []
        self.finished: set[RunId] = set()
        self.effects: Counter[str] = Counter()
        self._storage = storage
        self._keys = keys
        self._random = random
        self._codec = AvroCodec()
        self._next = [0] * PARTITIONS
        self._seeds: dict[RunId, bytes] = {}

    @property
    def open(self) -> list[RunId]:
        """Runs that were started and have not come to their end."""
        return [run_id for run_id in self.started if run_id not in self.finished]

    def recipe(self) -> Any:
        """A step, a gate, and a step that must not happen twice."""

        async def draft(given: Any) -> Any:
            await passes(self._random.uniform(0, 1))
            if self._random.random() < FAILING:
                raise ConnectionError("as it happens")
            return given

        async def publish(given: Any) -> Any:
            await passes(self._random.uniform(0, LONGEST_STEP_S))
            self.effects[current_step().key] += 1
            await passes(self._random.uniform(0, LONGEST_STEP_S))
            return given

        @recipe("reviewed", version="1")
        async def reviewed(run: Run, given: Any) -> Any:
            drafted = await run.step(draft, given, retry=Retry(ATTEMPTS_MAX))
            await run.gate("review", draft=drafted)
            return await run.step(publish, drafted, once=True)

        return reviewed

    async def start_runs(self, count: int) -> None:
        """One after the other, with pauses."""
        for number in range(count):
            run_id = RunId(f"run-{number}")
            self.started.append(run_id)
            body = command_json("StartRun", recipe="reviewed", input=b"1", run_id=run_id)
            await self._put("command", run_id, body)
            await passes(self._random.uniform(0, 10))

    async def answer(self) -> None:
        """Decide what pauses, as long as it runs."""
        async with asyncio.TaskGroup() as group:
            while True:
                for number in range(PARTITIONS):
                    await self._look(number, group)
                await passes(LOOK_S)

    async def _look(self, number: int, group: asyncio.TaskGroup) -> None:
        async for piece in self._storage.partition(number).read(self._next[number]):
            self._next[number] = piece[-1].offset + 1
            for stored in piece:
                match self._codec.decode(stored.value):
                    case RunStarted(run_id=run_id, seed=seed):
                        self._seeds[run_id] = seed
                    case GatePaused() as paused:
                        group.create_task(self._decide(paused))
                    case RunCompleted(run_id=run_id):
                        self.finished.add(run_id)
                    case _:
                        pass

    async def _decide(self, paused: GatePaused) -> None:
        run_id, verdict = paused.run_id, "approve"
        if paused.pause_kind == "reconcile":
            await passes(SURE_S)
            happened = self.effects[f"{run_id}:publish:1"] > 0
            verdict = "happened" if happened else "did_not_happen"
        else:
            await passes(self._random.uniform(0, 30))
        token = self._keys.issue(run_id, paused.seq, self._seeds[run_id], paused.token_kid)
        body = decision_json(token=token, verdict=verdict, decision_id=f"of-{run_id}-{paused.seq}")
        await self._put("decision", run_id, body)

    async def _put(self, kind: InboundKind, run_id: RunId, value: bytes) -> None:
        source = Source(topic=kind, partition=0, offset=0, timestamp_ms=0)
        record = InboundRecord(kind=kind, value=value, channel="topic", source=source)
        await self._storage.partition(place_of(run_id)).put(record)
