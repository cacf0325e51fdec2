"""Verified replay: blocks read, inflated, decoded, chained and folded, beside bare Avro reads."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.bulk import fill, samples
from benchmarks.figures import Figure, side_by_side
from benchmarks.raw import RawReader
from benchmarks.size import Size
from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.audit.chain import ChainCheck
from hitl_services.cli.log_share import LogShare
from hitl_services.cli.settings import Asked, settings
from hitl_services.cli.shares import Share, summed
from hitl_services.cli.workers import all_of, cores

EVENTS_PER_S = 180_000
SHARE_OF_RAW = 0.75


def replayed_log(size: Size, folder: Path) -> tuple[Path, list[bytes]]:
    """A directory of finished runs, and the values of all their events."""
    data = folder / "data"
    told = samples(folder / "sample", count=min(64, size.replayed_runs), done=True)
    fill(data, told, size.replayed_runs)
    return data, asyncio.run(values_in(data))


def measure(size: Size, folder: Path) -> list[Figure]:
    """Events verified a second by one process, from the file."""
    data, values = replayed_log(size, folder)
    beside = partial(side_by_side, raw=partial(RawReader().events_per_s, values))
    figure = beside("verified replay", size.rounds, lambda: asyncio.run(_verify(data, len(values))))
    assert figure.ratio is not None
    met = figure.value >= EVENTS_PER_S or figure.ratio >= SHARE_OF_RAW
    one = replace(figure, target=f"{EVENTS_PER_S:,} or ratio {SHARE_OF_RAW}", met=met)
    counts = sorted({1, max(cores(), 2)})
    several = [
        beside(f"hitl verify --jobs {jobs}", size.rounds, partial(_shared, data, len(values), jobs))
        for jobs in counts
    ]
    return [one, *several]


def _shared(data: Path, events: int, jobs: int) -> float:
    """Events a second of `hitl verify --jobs N`, the start of its processes included."""
    asked = settings(Asked(directory=str(data)), {})
    shares = [LogShare(settings=asked, share=Share(number=each, of=jobs)) for each in range(jobs)]
    began = time.perf_counter()
    report = summed(all_of(shares, _unheard), by_place=True).report
    assert report.ok, report.errors[:3]
    assert report.events == events, report.events
    return events / (time.perf_counter() - began)


def _unheard(_: object) -> None:
    """Nobody looks how far it is."""


async def values_in(data: Path) -> list[bytes]:
    """All event values of a log."""
    log = SqliteLog.open_for_reading(data)
    try:
        return [event.value async for piece in log.read() for event in piece]
    finally:
        log.close()


async def _verify(data: Path, events: int) -> float:
    """Events verified a second, opening and the comparison with the heads included."""
    began = time.perf_counter()
    log = SqliteLog.open_for_reading(data)
    try:
        check = ChainCheck(AvroCodec())
        async for piece in log.read():
            check.add_all([event.value for event in piece])
        check.finish([each async for page in log.positions() for each in page])
    finally:
        log.close()
    report = check.report()
    assert report.ok, report.errors[:3]
    assert report.events == events, report.events
    return events / (time.perf_counter() - began)
