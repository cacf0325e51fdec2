"""`hitl import`: an exported file into an empty data directory, to look at, never to run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.blobs import FileBlobs
from hitl_events.adapters.directory import DataDirectory
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.audit.report import VerifyReport
from hitl_events.domain.evolve import fold
from hitl_events.domain.references import reference_to
from hitl_events.domain.state import TO_TAKE_UP, next_due, status
from hitl_events.domain.values import digest
from hitl_events.errors import CorruptLog, InvalidInput, LogUnavailable
from hitl_events.ports import Appended, EffectBatch, RunPosition
from hitl_services.cli.interruptible import interruptible
from hitl_services.cli.joined_files import Joined
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.shares import together
from hitl_services.cli.verifier import Asked, check_files, is_file, noted, problems_page
from hitl_services.failure import DONE
from hitl_services.text import counted, quoted

_EVENTS_PER_BATCH = 1000
"""Events that are packed together: full blocks, and at some KB each a few megabytes."""


def load(screen: Screen, settings: Settings, names: tuple[str, ...]) -> int:
    """Check the files, then load them, all or nothing."""
    if settings.cluster is not None:
        message = "expected an empty data directory to import into, found a cluster"
        raise InvalidInput(f"{message}: unset HITL_KAFKA_BOOTSTRAP, and name it with --dir")
    for name in names:
        if not is_file(name):
            raise InvalidInput(f"expected a file to import, found none under {quoted(name)}")
        if Path(name).is_fifo():
            message = f"expected a file to import, found the pipe {quoted(name)}"
            raise InvalidInput(f"{message}: it is read twice, write it to a file first")
    directory = DataDirectory(settings.directory)
    _refuse_unless_empty(directory)
    report = together(check_files(screen, list(dict.fromkeys(names)), Asked())).report
    if not report.ok:
        shown = report.to_json()
        screen.document(shown) if settings.json else screen.page(problems_page(report.errors))
        return noted(screen, report, as_json=settings.json)
    runs, events = _fill(screen, directory, names, report)
    if settings.json:
        files: dict[str, object] = {"file": names[0]} if len(names) == 1 else {"files": [*names]}
        screen.document({**files, "runs": runs, "events": events})
        return DONE
    said = f"{counted(runs, 'run')}, {counted(events, 'event')}"
    place = f"{settings.directory}, for reading only"
    screen.page([[("imported", "bold green"), f"  {said} into {place}"]])
    return DONE


def _refuse_unless_empty(directory: DataDirectory) -> None:
    """An import joins no other history: what is there was never meant to be read with it."""
    found: str | None
    if directory.has_log():
        log = SqliteLog.open_for_reading(directory)
        try:
            found = asyncio.run(_held_by(log))
        finally:
            log.close()
    else:
        found = _first_in(directory)
    if found is not None:
        wanted = f"expected an empty data directory, found {found} in {directory.path}"
        raise InvalidInput(f"{wanted}; name a new one with --dir")


async def _held_by(log: SqliteLog) -> str | None:
    events = await log.end()
    if events:
        return f"a log of {counted(events, 'event')}"
    return "a log that has taken commands" if log.used else None


def _first_in(directory: DataDirectory) -> str | None:
    """But for what an import left that was killed while it made the log: it can be repeated."""
    try:
        names = (entry.name for entry in directory.path.iterdir())
        return next((quoted(name) for name in names if not directory.is_unmade_log(name)), None)
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"expected a data directory, found {directory.path}: {error.strerror}"
        raise LogUnavailable(message) from None


def _fill(
    screen: Screen, directory: DataDirectory, names: Sequence[str], report: VerifyReport
) -> tuple[int, int]:
    """Gives the number of runs and events; a run that stands in several files counts once."""
    joined = Joined.of(names)
    log = SqliteLog.open(directory)
    try:
        if not log.try_own():
            raise LogUnavailable(f"expected a free directory, found {directory.path} in use")
        with progress(screen, "importing", report.events) as told:
            blobs = FileBlobs(directory.blobs_path)
            histories = joined.histories(lambda data: blobs.write(reference_to(data), data))
            interruptible(log.fill(_batches(histories, told)))
        return joined.runs, asyncio.run(log.end())
    finally:
        log.close()


def _batches(
    histories: Iterable[Sequence[bytes]], told: Callable[[int], None]
) -> Iterator[EffectBatch]:
    codec = AvroCodec()
    batch = EffectBatch()
    for values in histories:
        events = [Appended(event=codec.decode(each), value=each) for each in values]
        batch.events.extend(events)
        batch.positions.append(_position(events))
        if len(batch.events) >= _EVENTS_PER_BATCH:
            told(len(batch.events))
            yield batch
            batch = EffectBatch()
    told(len(batch.events))
    yield batch


def _position(appended: Sequence[Appended]) -> RunPosition:
    """What the log of the run's owner kept of it, at rest; nothing here is ever driven by it."""
    last = appended[-1]
    run = fold(each.event for each in appended)
    if run is None:
        raise CorruptLog(f"run {last.event.run_id!r}", "expected events, found none")
    word = status(run)
    return RunPosition(
        run_id=last.event.run_id,
        seq=last.event.seq,
        head=digest(last.value),
        status=word,
        due=next_due(run),
        busy=word in TO_TAKE_UP,
    )
