"""A log of runs that notes what is asked of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from hitl_events.domain.values import RunId
from hitl_events.ports import RunPosition
from tests.unit.audit.made import position_of


class PagedLog:
    """A log that notes what is asked of it; each page has one run with as many events as fit."""

    def __init__(self, runs: Mapping[str, list[bytes]]) -> None:
        self.runs = runs
        self.asked: list[str] = []

    async def positions(self) -> AsyncIterator[Sequence[RunPosition]]:
        """A page for each run."""
        for run_id, values in self.runs.items():
            self.asked.append(f"page {run_id}")
            yield [position_of(values)]

    async def load(self, run_ids: Iterable[RunId]) -> Mapping[RunId, tuple[bytes, ...]]:
        """The events of runs."""
        wanted = list(run_ids)
        self.asked += [f"load {run_id}" for run_id in wanted]
        return {run_id: tuple(self.runs[run_id]) for run_id in wanted}

    async def end(self) -> int:
        """How many events there are."""
        return sum(map(len, self.runs.values()))

    def snapshot(self) -> AbstractContextManager[None]:
        """It does not change."""
        return nullcontext()
