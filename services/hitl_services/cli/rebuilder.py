"""`hitl rebuild`: the read model folded anew, or compared with what the events give."""

from __future__ import annotations

import asyncio

from hitl_events.adapters.readmodel.contents import Difference
from hitl_events.adapters.readmodel.targets import Target
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.adapters.system import SystemClock
from hitl_events.errors import LogUnavailable
from hitl_events.readmodel.rebuilding import rebuild as rebuilt
from hitl_services.cli.interruptible import interruptible
from hitl_services.cli.model_check import first_difference
from hitl_services.cli.opening import known_model, model_target
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import embedded_log
from hitl_services.failure import BROKEN_CHAIN, DONE, one_line
from hitl_services.memory import settle_memory
from hitl_services.text import counted, harmless


def rebuild(screen: Screen, settings: Settings) -> int:
    """Build it beside the live one, then put it in its place."""
    target = model_target(settings)
    settle_memory()
    clock = SystemClock()
    begun_s = clock.monotonic_s()
    events = _rebuilt(screen, settings, target)
    took_s = clock.monotonic_s() - begun_s
    if settings.json:
        screen.document({"events": events, "path": target.place, "seconds": round(took_s, 3)})
    else:
        said = f"  {counted(events, 'event')} in {target.place}, {took_s:.1f} s"
        screen.page([[("rebuilt", "bold green"), harmless(said)]])
    return DONE


def check(screen: Screen, settings: Settings) -> int:
    """Compare the live one with what is folded again; the first difference ends it."""
    target = known_model(settings)
    if target is None:
        place = model_target(settings).place
        raise LogUnavailable(f"expected a read model in {place}, found none: run `hitl rebuild`")
    found, runs = first_difference(screen, settings, target)
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


def told_of(found: Difference) -> str:
    """Where and what."""
    if found.run_id is None:
        return found.problem
    seq = "" if found.seq is None else f", event {found.seq}"
    return f"run {harmless(found.run_id)}{seq}: {harmless(found.problem)}"


def _json(found: Difference) -> dict[str, object]:
    return {"run_id": found.run_id, "seq": found.seq, "problem": found.problem}


def _rebuilt(screen: Screen, settings: Settings, target: Target) -> int:
    if settings.cluster is not None:
        from hitl_services.cli.topic_rebuilder import rebuilt as topic_rebuilt

        return asyncio.run(topic_rebuilt(screen, settings.cluster, target))
    with embedded_log(settings, must_exist=True) as log:
        return interruptible(_log_rebuilt(screen, log, target))


async def _log_rebuilt(screen: Screen, log: SqliteLog, target: Target) -> int:
    with progress(screen, "folding", await log.end()) as told:
        await rebuilt({0: log}, target, told)
    return await log.end()
