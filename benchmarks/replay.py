"""Verified replay: blocks read, inflated, decoded, chained and folded, beside bare Avro reads."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.bulk import fill, samples
from benchmarks.figures import Figure, rate
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
    reader = RawReader()
    verified: list[float] = []
    raw: list[float] = []
    for _ in range(size.rounds):
        raw.append(reader.events_per_s(values))
        verified.append(asyncio.run(_verify(data, len(values))))
    figure = rate("verified replay", verified, raw)
    assert figure.ratio is not None
    met = figure.value >= EVENTS_PER_S or figure.ratio >= SHARE_OF_RAW
    one = replace(figure, target=f"{EVENTS_PER_S:,} or ratio {SHARE_OF_RAW}", met=met)
    counts = sorted({1, max(cores(), 2)})
    return [one, *(_figure(size, data, values, reader, jobs) for jobs in counts)]


def _figure(size: Size, data: Path, values: list[bytes], reader: RawReader, jobs: int) -> Figure:
    """What `hitl verify --jobs N` does, the start of its processes included."""
    rates: list[float] = []
    raw: list[float] = []
    for _ in range(size.rounds):
        raw.append(reader.events_per_s(values))
        rates.append(_shared(data, len(values), jobs))
    return rate(f"hitl verify --jobs {jobs}", rates, raw)


def _shared(data: Path, events: int, jobs: int) -> float:
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
