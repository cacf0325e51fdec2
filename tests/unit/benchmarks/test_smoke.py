from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path

import pytest

from benchmarks import paused
from benchmarks.__main__ import ASKED_FOR, BENCHMARKS, run
from benchmarks.bulk import fill, samples
from benchmarks.figures import Figure
from benchmarks.raw import ROW_BYTES, ROWS_PER_COMMIT
from benchmarks.size import TINY
from benchmarks.table import dump, show
from benchmarks.workload import VALUE_BYTES, write
from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.audit.chain import ChainCheck
from hitl_events.domain import canonical


@pytest.mark.parametrize("name", sorted(set(BENCHMARKS) - ASKED_FOR))
def test_each_benchmark_runs_and_gives_sane_numbers(name: str, tmp_path: Path) -> None:
    """A benchmark gives finite figures with units; ratios are those of figures to baselines."""
    figures = run([name], TINY, tmp_path)

    assert figures
    for figure in figures:
        assert figure.unit
        assert math.isfinite(figure.value)
        assert figure.baseline is None or figure.baseline.value > 0
        assert figure.ratio is None or figure.ratio > 0
        assert (figure.met is None) == (figure.target == "")
    assert len({figure.name for figure in figures}) == len(figures)


def test_a_million_is_measured_with_a_log_written_in_bulk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The benchmark of a million works the same with a few."""
    monkeypatch.setattr(paused, "MILLION", 600)

    memory, restart = paused.measure_million(TINY, tmp_path)

    assert 10 < memory.value < 1_000
    assert restart.value > 0


async def _verified(folder: Path) -> ChainCheck:
    log = SqliteLog.open_for_reading(folder)
    check = ChainCheck(AvroCodec())
    async for piece in log.read():
        check.add_all(event.value for event in piece)
    check.finish([each async for page in log.positions() for each in page])
    log.close()
    return check


@pytest.mark.parametrize("done", [False, True])
def test_a_log_written_in_bulk_is_a_sound_log(tmp_path: Path, *, done: bool) -> None:
    """What `fill` writes passes the verification of a real log, heads included."""
    told = samples(tmp_path / "sample", count=3, done=done)

    fill(tmp_path / "data", told, 1_100)

    report = asyncio.run(_verified(tmp_path / "data")).report()
    assert report.ok, report.errors[:3]
    assert (report.runs, report.events) == (1_100, 1_100 * len(told[0]))


async def test_the_work_is_what_the_figures_say() -> None:
    """Values have 200 B, a raw commit 256 rows of 400 B."""
    for number in range(100):
        assert len(canonical.dumps(await write({"number": number}))) == VALUE_BYTES == 200
    assert (ROWS_PER_COMMIT, ROW_BYTES) == (256, 400)


def test_the_figures_are_printed_for_people_and_for_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The table says whether a figure is what was aimed at; the JSON is one document."""
    figures = [
        Figure(name="speed", value=1234.5, unit="runs/s", target="2,000", met=False),
        Figure(name="size", value=0.25, unit="MB"),
    ]

    show(figures)
    table = capsys.readouterr().out
    dump(figures)
    found = json.loads(capsys.readouterr().out)

    assert "1,23" in table
    assert "no" in table
    assert [each["name"] for each in found["figures"]] == ["speed", "size"]
    assert found["figures"][0]["met"] is False
    assert set(found["machine"]) >= {"Python", "SQLite", "gc"}
