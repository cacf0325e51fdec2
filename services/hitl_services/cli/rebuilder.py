"""`hitl rebuild`: the read model folded anew, or compared with what the events give."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.contents import Comparison, Difference
from hitl_events.adapters.readmodel.database import Database
from hitl_events.adapters.readmodel.targets import Target
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.adapters.system import SystemClock
from hitl_events.audit.report import Problem, Problems
from hitl_events.domain.values import RunId
from hitl_events.errors import LogUnavailable, ReadModelDiffers
from hitl_events.readmodel.local import caught_up
from hitl_events.readmodel.rebuilding import rebuild as rebuilt
from hitl_services.cli.opening import local_model, model_target
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Store, embedded_log
from hitl_services.failure import BROKEN_CHAIN, DONE, one_line
from hitl_services.memory import settle_memory
from hitl_services.text import counted, harmless


def rebuild(screen: Screen, settings: Settings) -> int:
    """Build it beside the live one, then put it in its place."""
    target = model_target(settings)
    settle_memory()
    clock = SystemClock()
    begun_s = clock.monotonic_s()
    with embedded_log(settings, must_exist=True) as log:
        events = asyncio.run(_rebuilt(screen, log, target))
    took_s = clock.monotonic_s() - begun_s
    if settings.json:
        screen.document({"events": events, "path": target.place, "seconds": round(took_s, 3)})
    else:
        said = f"  {counted(events, 'event')} in {target.place}, {took_s:.1f} s"
        screen.page([[("rebuilt", "bold green"), harmless(said)]])
    return DONE


def check(screen: Screen, settings: Settings) -> int:
    """Compare the live one with what is folded again; the first difference ends it."""
    target = local_model(settings)
    if target is None:
        place = model_target(settings).place
        raise LogUnavailable(f"expected a read model in {place}, found none: run `hitl rebuild`")
    with embedded_log(settings, must_exist=True) as log:
        store = Store(log, None, place=str(settings.directory), empty=False)
        found, runs = asyncio.run(_compared(screen, store, log, target))
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


def differences(screen: Screen, settings: Settings, target: Target) -> tuple[Problem, ...]:
    """All of them, for `verify`; also that it is of another log."""
    problems = Problems()
    with embedded_log(settings, must_exist=True) as log:
        store = Store(log, None, place=str(settings.directory), empty=False)
        try:
            asyncio.run(_gathered(screen, store, log, target, problems))
        except ReadModelDiffers as error:
            problems.add(None, None, str(error))
    return problems.all()


async def _gathered(
    screen: Screen, store: Store, log: SqliteLog, target: Target, problems: Problems
) -> None:
    database = await caught_up(log, target, lambda _: None)
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


async def _rebuilt(screen: Screen, log: SqliteLog, target: Target) -> int:
    with progress(screen, "folding", await log.end()) as told:
        await rebuilt({0: log}, target, told)
    return await log.end()


async def _compared(
    screen: Screen, store: Store, log: SqliteLog, target: Target
) -> tuple[Difference | None, int]:
    database = await caught_up(log, target, lambda _: None)
    try:
        with log.snapshot(), database.snapshot():
            async with aclosing(_differences(screen, store, database)) as found:
                first = await anext(found, None)
            return first, int(database.rows("SELECT count(*) FROM runs")[0][0])
    finally:
        database.close()


async def _differences(
    screen: Screen, store: Store, database: Database
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
