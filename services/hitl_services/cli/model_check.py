"""Is the read model what the events give? Run by run, at one moment of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Sequence
from contextlib import ExitStack, aclosing, closing, contextmanager

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.contents import Comparison, Difference
from hitl_events.adapters.readmodel.database import Database
from hitl_events.adapters.readmodel.reader import Questions
from hitl_events.adapters.readmodel.targets import Target
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.audit.report import Problem, Problems
from hitl_events.domain.values import RunId
from hitl_events.errors import DamagedReadModel, ReadModelDiffers
from hitl_events.readmodel.local import caught_up
from hitl_services.cli.interruptible import interruptible
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store, embedded_log

Histories = AsyncIterator[tuple[RunId, Sequence[bytes]]]


def first_difference(
    screen: Screen, settings: Settings, target: Target
) -> tuple[Difference | None, int]:
    """The first, if there is one, and how many runs the read model has (0 if of another log)."""
    try:
        with _facing(screen, settings, target) as (histories, database):
            found = interruptible(_first(screen, histories, database))
            return found, int(database.rows("SELECT count(*) FROM runs")[0][0])
    except (DamagedReadModel, ReadModelDiffers) as error:
        return Difference(run_id=None, seq=None, problem=str(error)), 0


def differences(screen: Screen, settings: Settings, target: Target) -> tuple[Problem, ...]:
    """All of them, for `verify`; also that it is of another log."""
    problems = Problems()
    try:
        with _facing(screen, settings, target) as (histories, database):
            interruptible(_all(screen, histories, database, problems))
    except (DamagedReadModel, ReadModelDiffers) as error:
        problems.add(None, None, str(error))
    return problems.all()


@contextmanager
def _facing(
    screen: Screen, settings: Settings, target: Target
) -> Generator[tuple[Histories, Database]]:
    """The events that it must have by now, and the read model, both standing still."""
    with ExitStack() as stack:
        if settings.cluster is not None:
            from hitl_services.cli.topic_rebuilder import facing

            yield stack.enter_context(facing(screen, settings, settings.cluster, target))
            return
        log = stack.enter_context(embedded_log(settings, must_exist=True))
        database = interruptible(caught_up(log, target, lambda _: None))
        stack.enter_context(closing(database))
        stack.enter_context(database.snapshot())
        end = Questions(database).places().get(0, 0)  # before the log is read, which goes on
        stack.enter_context(log.snapshot())
        store = Store(log, lambda: None, place=str(settings.directory), empty=False)
        yield _folded_so_far(store, log, end), database


async def _folded_so_far(store: Store, log: SqliteLog, end: int) -> Histories:
    """The histories without what was appended after the read model had caught up."""
    later: Counter[RunId] = Counter()
    async for piece in log.read(end):
        later.update(store.codec.decode(each.value).run_id for each in piece)
    async for run_id, values in store.histories():
        if known := values[: len(values) - later[run_id]]:
            yield run_id, known


async def _first(screen: Screen, histories: Histories, database: Database) -> Difference | None:
    async with aclosing(_differences(screen, histories, database)) as found:
        return await anext(found, None)


async def _all(
    screen: Screen, histories: Histories, database: Database, problems: Problems
) -> None:
    async for found in _differences(screen, histories, database):
        problems.add(found.run_id, found.seq, f"read model: {found.problem}")


async def _differences(
    screen: Screen, histories: Histories, database: Database
) -> AsyncGenerator[Difference]:
    comparison = Comparison(database, AvroCodec())
    run_ids: set[RunId] = set()
    with progress(screen, "comparing the read model", None) as told:
        async for run_id, values in histories:
            run_ids.add(run_id)
            for found in comparison.run(run_id, values):
                yield found
            told(1)
    for found in comparison.finish(run_ids):
        yield found
