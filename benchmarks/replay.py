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

EVENTS_PER_S = 180_000
SHARE_OF_RAW = 0.75


def measure(size: Size, folder: Path) -> list[Figure]:
    """Events verified a second by one process, from the file."""
    data = folder / "data"
    told = samples(folder / "sample", count=min(64, size.replayed_runs), done=True)
    fill(data, told, size.replayed_runs)
    values = asyncio.run(values_in(data))
    reader = RawReader()
    verified: list[float] = []
    raw: list[float] = []
    for _ in range(size.rounds):
        raw.append(reader.events_per_s(values))
        verified.append(asyncio.run(_verify(data, len(values))))
    figure = rate("verified replay", verified, raw)
    assert figure.ratio is not None
    met = figure.value >= EVENTS_PER_S or figure.ratio >= SHARE_OF_RAW
    return [replace(figure, target=f"{EVENTS_PER_S:,} or ratio {SHARE_OF_RAW}", met=met)]


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
