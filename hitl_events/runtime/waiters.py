"""Who waits for a run to pause, end or block."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from hitl_events.domain.events import Event
from hitl_events.domain.outcome import Standing
from hitl_events.domain.values import RunId
from hitl_events.errors import Fenced, HitlError, LogUnavailable, NoThread, RunLeft
from hitl_events.ports import Answer

Rest: TypeAlias = tuple[Sequence[Event], Standing]
"""The events of a run that rests, and where it stands."""

Settled: TypeAlias = tuple[Answer, Rest | None]
"""What became of a command, and its run once that rests (None: to be read from the log)."""

Waiter: TypeAlias = asyncio.Future[Settled]


class Waiters:
    """Futures by run, with the answer that each will get beside the events."""

    def __init__(self) -> None:
        self._by_run: dict[RunId, list[tuple[Waiter, Answer]]] = {}

    def __contains__(self, run_id: RunId) -> bool:
        return run_id in self._by_run

    def add(self, run_id: RunId, waiter: Waiter, answer: Answer) -> None:
        """Somebody waits for the run."""
        self._by_run.setdefault(run_id, []).append((waiter, answer))

    def resolve(self, run_id: RunId, rest: Rest | None) -> None:
        """The run rests."""
        for waiter, answer in self._by_run.pop(run_id, ()):
            if not waiter.done():
                waiter.set_result((answer, rest))

    def close(self, others: Iterable[Waiter], failure: HitlError) -> None:
        """Nobody will be served any more: all who wait get the failure.

        Who waits for a run is told its id where nothing is driven on: their
        command was recorded.
        """
        for run_id, waiting in self._by_run.items():
            _fail((waiter for waiter, _ in waiting), _left(run_id, failure))
        _fail(others, failure)
        self._by_run.clear()


def _fail(waiters: Iterable[Waiter], failure: HitlError) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_exception(failure)


def _left(run_id: RunId, failure: HitlError) -> HitlError:
    if not isinstance(failure, LogUnavailable | Fenced | NoThread):
        return failure
    left = RunLeft(run_id, str(failure))
    left.__cause__ = failure
    return left
