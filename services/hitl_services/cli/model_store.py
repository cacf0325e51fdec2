"""Lists from the read model: the same answers as the log gives, by an index instead of a fold."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from hitl_events.adapters.readmodel.reader import Questions
from hitl_events.adapters.readmodel.targets import Target
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.domain.events import GatePaused
from hitl_events.projections.runs import RunRow
from hitl_events.readmodel.local import caught_up
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Screen
from hitl_services.cli.store import Pause, Store, Told, Wanted, start_of


class ModelStore(Store):
    """As any store, but its lists come from the read model."""

    def __init__(self, store: Store, questions: Questions) -> None:
        super().__init__(store.log, store.keys, place=store.place, empty=store.empty)
        self._questions = questions

    async def open_pauses(self, wanted: Wanted, told: Told) -> tuple[list[Pause], int]:
        """As the log's, but only those that are shown are read."""
        found = self._questions.open_pauses(
            recipe=wanted.recipe, until=wanted.until, limit=wanted.limit
        )
        told(len(found))
        pauses = [self._pause(each.started, each.paused) for each in found]
        if wanted.limit is None or len(pauses) < wanted.limit:
            return pauses, len(pauses)
        return pauses, self._questions.count_open(recipe=wanted.recipe, until=wanted.until)

    async def run_rows(self, wanted: Wanted, told: Told) -> list[RunRow]:
        """As the log's; of runs that started in one microsecond the ids say which is first."""
        statuses = None if wanted.statuses is None else sorted(wanted.statuses)
        rows = self._questions.runs(statuses=statuses, recipe=wanted.recipe, limit=wanted.limit)
        told(len(rows))
        return rows

    def _pause(self, started: bytes, paused: bytes) -> Pause:
        first, own = start_of(self.decoded([started])), self.codec.decode(paused)
        assert isinstance(own, GatePaused), "the row of a gate names the event that opened it"
        return first, own


@contextmanager
def beside(screen: Screen, store: Store, log: SqliteLog, target: Target) -> Generator[Store]:
    """The read model there, with all that the log has now."""
    with progress(screen, "folding what is new", None) as told:
        database = asyncio.run(caught_up(log, target, told))
    try:
        yield ModelStore(store, Questions(database))
    finally:
        database.close()
