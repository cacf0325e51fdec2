"""Fills a log quickly: the history of one real run, told again under other names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from benchmarks.workload import decide, runtime_in, start
from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.directory import DataDirectory
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.adapters.system import SystemIds
from hitl_events.domain.events import DecisionReceived, Event, GatePaused, RunStarted
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import NO_DIGEST, RunId
from hitl_events.ports import Appended, EffectBatch, RunPosition

WAVE = 512
"""Runs that go side by side, commit by commit, as they do at full load."""


def samples(folder: Path, *, count: int, done: bool) -> list[tuple[Event, ...]]:
    """The events of some real runs, paused or done."""
    return asyncio.run(_samples(folder, count, done=done))


async def _samples(folder: Path, count: int, *, done: bool) -> list[tuple[Event, ...]]:
    found: list[tuple[Event, ...]] = []
    async with runtime_in(folder) as runtime:
        for number in range(count):
            token = await start(runtime, number)
            if done:
                await decide(runtime, token)
        log = SqliteLog.open_for_reading(folder)
        run_ids = [each.run_id async for page in log.positions() for each in page]
        found = [tuple(await runtime.history(run_id)) for run_id in run_ids]
        log.close()
    return found


def fill(
    folder: Path,
    told: Sequence[Sequence[Event]],
    runs: int,
    progress: Callable[[int], None] = lambda _runs: None,
) -> str:
    """Append that many runs in waves of 512, one commit for each of their turns.

    Returns the token of the first of them.
    """
    return asyncio.run(_fill(folder, told, runs, progress))


async def _fill(
    folder: Path, told: Sequence[Sequence[Event]], runs: int, progress: Callable[[int], None]
) -> str:
    log = SqliteLog.open(folder)
    assert log.try_own()
    token = ""
    try:
        for first in range(0, runs, WAVE):
            count = min(WAVE, runs - first)
            wave = [_Told(told[(first + number) % len(told)]) for number in range(count)]
            token = token or wave[0].token(folder)
            for turn in _turns(told[0]):
                await log.append(_batch(wave, turn))
            progress(first + count)
    finally:
        log.close()
    return token


def _turns(events: Sequence[Event]) -> list[slice]:
    """Which events of a run are of one commit: after a start or a decision, its step runs."""
    cuts = [0]
    for index, event in enumerate(events, 1):
        if isinstance(event, RunStarted | DecisionReceived | GatePaused):
            cuts.append(index)
    cuts.append(len(events))
    return [slice(start, stop) for start, stop in pairwise(cuts) if start < stop]


def _batch(wave: Sequence[_Told], turn: slice) -> EffectBatch:
    batch = EffectBatch()
    for run in wave:
        batch.events.extend(run.next(turn))
        batch.positions.append(run.position())
    return batch


class _Told:
    """A run that repeats what another one did, with ids, seed and digests of its own."""

    _codec = AvroCodec()
    _ids = SystemIds()

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events
        self._run_id: RunId = self._ids.run_id()
        self._seed = self._ids.seed()
        self._head = NO_DIGEST
        self._last = events[0]

    def next(self, turn: slice) -> Iterator[Appended]:
        for event in self._events[turn]:
            again = replace(event, run_id=self._run_id, prev_digest=self._head)
            if isinstance(again, RunStarted):
                again = replace(again, seed=self._seed, command_id=self._ids.command_id())
            elif isinstance(again, DecisionReceived):
                again = replace(again, decision_id=self._ids.decision_id())
            encoded = self._codec.encode(again)
            self._head = sha256(encoded).digest()
            self._last = again
            yield Appended(event=again, value=encoded)

    def position(self) -> RunPosition:
        return RunPosition(
            run_id=self._run_id,
            seq=self._last.seq,
            head=self._head,
            status=_STATUS.get(type(self._last).__name__, "running"),
            due=None,
            busy=type(self._last).__name__ not in _STATUS,
        )

    def token(self, folder: Path) -> str:
        keys = TokenKeys([DataDirectory(folder).token_key()])
        seq = next(event.seq for event in self._events if isinstance(event, GatePaused))
        token = keys.issue(self._run_id, seq, self._seed, keys.kid)
        assert token is not None
        return token


_STATUS = {"GatePaused": "paused", "RunCompleted": "completed"}
