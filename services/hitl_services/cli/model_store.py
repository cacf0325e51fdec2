"""Lists from the read model: the same answers as the log gives, by an index instead of a fold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial

from hitl_events.adapters.readmodel.database import Database
from hitl_events.adapters.readmodel.opening import open_read_model
from hitl_events.adapters.readmodel.reader import Questions, damaged_run
from hitl_events.adapters.readmodel.targets import Target
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.adapters.trouble import is_denied
from hitl_events.domain.events import GatePaused
from hitl_events.domain.values import RunId
from hitl_events.errors import LogUnavailable
from hitl_events.ports import RunPosition
from hitl_events.projections.runs import RunRow
from hitl_events.readmodel.local import caught_up
from hitl_services.cli.interruptible import interruptible
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Pause, Store, Told, Wanted, blobs_of, start_of, token_keys


class ModelLog:
    """A read model as the log of what was folded: `load`, `positions`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._questions = Questions(database)

    async def load(self, run_ids: Iterable[RunId]) -> Mapping[RunId, tuple[bytes, ...]]:
        """The event values of each run that is there, seq 1 first."""
        found = {run_id: self._questions.events(run_id) for run_id in dict.fromkeys(run_ids)}
        return {run_id: values for run_id, values in found.items() if values}

    async def positions(self) -> AsyncIterator[Sequence[RunPosition]]:
        """Every run's position, in the order of their start."""
        yield [
            RunPosition(
                run_id=row.run_id,
                seq=row.seq,
                head=row.head,
                status=row.status,
                due=None,
                busy=False,
                gates=row.open_gates,
            )
            for row in self._questions.runs()
        ]

    async def end(self) -> int:
        """How many events there are."""
        counters = self._questions.counters().items()
        return sum(count for (name, _), count in counters if name == "events")

    def snapshot(self) -> AbstractContextManager[None]:
        """Reads inside see one moment of it."""
        return self._database.snapshot()


class ModelStore(Store):
    """As any store, but its lists come from the read model."""

    def __init__(self, store: Store, questions: Questions) -> None:
        super().__init__(
            store.log, store.find_keys, place=store.place, empty=store.empty, blobs=store.blobs
        )
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
        first, own = start_of(self.decoded([started])), self.decoded([paused])[0]
        if not isinstance(own, GatePaused):
            raise damaged_run(own.run_id)
        return first, own


@contextmanager
def beside(screen: Screen, store: Store, log: SqliteLog, target: Target) -> Generator[Store]:
    """The read model there, with all that the log has now.

    Where it may not be written, the log itself: it gives the same lists, only slower.
    """
    try:
        with progress(screen, "folding what is new", None) as told:
            database = interruptible(caught_up(log, target, told))
    except LogUnavailable as error:
        if not is_denied(error):
            raise
        database = None
    if database is None:
        yield store
        return
    try:
        yield ModelStore(store, Questions(database))
    finally:
        database.close()


@contextmanager
def of_cluster(settings: Settings, url: str) -> Generator[Store]:
    """What the projectors of a cluster have folded so far."""
    with closing(open_read_model(url, writable=False)) as database:
        log = ModelLog(database)
        keys, blobs = partial(token_keys, settings), blobs_of(settings)
        store = Store(log, keys, place=database.place, empty=False, blobs=blobs)
        yield ModelStore(store, Questions(database))
