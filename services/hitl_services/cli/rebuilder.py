"""`hitl rebuild`: the read model folded anew, or compared with what the events give."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.contents import Comparison, Difference
from hitl_events.adapters.readmodel.sqlite import SqliteDatabase
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.adapters.system import SystemClock
from hitl_events.audit.report import Problem, Problems
from hitl_events.domain.values import RunId
from hitl_events.errors import InvalidInput, LogUnavailable, ReadModelDiffers
from hitl_events.readmodel.local import caught_up, rebuild as rebuilt
from hitl_services.cli.opening import MODEL_FILE, local_model
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store, embedded_log
from hitl_services.failure import BROKEN_CHAIN, DONE, one_line
from hitl_services.memory import settle_memory
from hitl_services.text import counted, harmless


def rebuild(screen: Screen, settings: Settings) -> int:
    """Build it beside the live one, then put it in its place."""
    path = _path(settings)
    settle_memory()
    clock = SystemClock()
    begun_s = clock.monotonic_s()
    with embedded_log(settings, must_exist=True) as log:
        events = asyncio.run(_rebuilt(screen, log, path))
    took_s = clock.monotonic_s() - begun_s
    if settings.json:
        screen.document({"events": events, "path": str(path), "seconds": round(took_s, 3)})
    else:
        said = f"  {counted(events, 'event')} folded in {took_s:.1f} s into {harmless(str(path))}"
        screen.page([[("rebuilt", "bold green"), said]])
    return DONE


def check(screen: Screen, settings: Settings) -> int:
    """Compare the live one with what is folded again; the first difference ends it."""
    path = local_model(settings)
    if path is None or not path.exists():
        raise LogUnavailable(
            f"expected a read model in {_path(settings)}, found none: run `hitl rebuild`"
        )
    with embedded_log(settings, must_exist=True) as log:
        store = Store(log, None, place=str(settings.directory), empty=False)
        found, runs = asyncio.run(_compared(screen, store, log, path))
    if settings.json:
        errors = [] if found is None else [_json(found)]
        screen.document({"runs": runs, "errors": errors})
    elif found is None:
        said = f"  {counted(runs, 'run')}: the read model is what the events give"
        screen.page([[("equal", "bold green"), said]])
    if found is None:
        return DONE
    screen.note(f"hitl: {one_line(f'the read model differs: {told_of(found)}')}")
    return BROKEN_CHAIN


def differences(screen: Screen, settings: Settings, path: Path) -> tuple[Problem, ...]:
    """All of them, for `verify`; also that it is of another log."""
    problems = Problems()
    with embedded_log(settings, must_exist=True) as log:
        store = Store(log, None, place=str(settings.directory), empty=False)
        try:
            asyncio.run(_gathered(screen, store, log, path, problems))
        except ReadModelDiffers as error:
            problems.add(None, None, str(error))
    return problems.all()


async def _gathered(
    screen: Screen, store: Store, log: SqliteLog, path: Path, problems: Problems
) -> None:
    database = await caught_up(log, path, lambda _: None)
    try:
        with log.snapshot(), database.snapshot():
            async for found in _differences(screen, store, database):
                problems.add(found.run_id, found.seq, f"read model: {found.problem}")
    finally:
        database.close()


def told_of(found: Difference) -> str:
    """Where and what."""
    if found.run_id is None:
        return found.problem
    seq = "" if found.seq is None else f", event {found.seq}"
    return f"run {harmless(found.run_id)}{seq}: {harmless(found.problem)}"


def _json(found: Difference) -> dict[str, object]:
    return {"run_id": found.run_id, "seq": found.seq, "problem": found.problem}


def _path(settings: Settings) -> Path:
    if settings.cluster is not None or settings.read_model is None:
        return settings.directory / MODEL_FILE
    path = local_model(settings)
    if path is None:
        raise InvalidInput("expected a SQLite file as HITL_READ_MODEL of the embedded log")
    return path


async def _rebuilt(screen: Screen, log: SqliteLog, path: Path) -> int:
    with progress(screen, "folding", await log.end()) as told:
        return await rebuilt(log, path, told)


async def _compared(
    screen: Screen, store: Store, log: SqliteLog, path: Path
) -> tuple[Difference | None, int]:
    database = await caught_up(log, path, lambda _: None)
    try:
        with log.snapshot(), database.snapshot():
            async with aclosing(_differences(screen, store, database)) as found:
                first = await anext(found, None)
            return first, int(database.row("SELECT count(*) FROM runs")[0])
    finally:
        database.close()


async def _differences(
    screen: Screen, store: Store, database: SqliteDatabase
) -> AsyncGenerator[Difference]:
    comparison = Comparison(database, AvroCodec())
    run_ids: set[RunId] = set()
    with progress(screen, "comparing the read model", None) as told:
        async for run_id, values in store.histories():
            run_ids.add(run_id)
            for found in comparison.run(run_id, values):
                yield found
            told(1)
    for found in comparison.finish(run_ids):
        yield found
