"""The read model beside an embedded log: kept up, built anew, never in the way of the log."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from hitl_events import Runtime
from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.contents import Comparison, digest_of
from hitl_events.adapters.readmodel.files import rebuilding
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.reader import Questions
from hitl_events.adapters.readmodel.sqlite import open_sqlite
from hitl_events.adapters.readmodel.sqlite_target import SqliteTarget
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.domain.values import RunId
from hitl_events.embedded import Setting
from hitl_events.errors import LogUnavailable, ReadModelDiffers
from hitl_events.ports import StoredEvent
from hitl_events.readmodel.following import Following
from hitl_events.readmodel.local import caught_up
from hitl_events.readmodel.rebuilding import rebuild
from hitl_events.runtime.projector import Projector
from tests.unit.runtime.played import reviewed


async def _fill(data: Path, runs: int, *, decided: int = 0) -> None:
    async with Runtime.open(data, recipes=[reviewed()]) as runtime:
        for number in range(runs):
            paused = await runtime.run("r", number)
            if number < decided:
                await runtime.decide(paused.token or "", "approve", decided_by="ann")


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A directory with three runs, one of them approved."""
    await _fill(tmp_path / "data", 3, decided=1)
    return tmp_path / "data"


def _target(data: Path) -> SqliteTarget:
    return SqliteTarget(data / "read-model.db")


async def _rebuilt(data: Path) -> None:
    log = SqliteLog.open_for_reading(data)
    try:
        await rebuild({0: log}, _target(data), lambda _: None)
    finally:
        log.close()


async def _current(data: Path) -> tuple[bytes, int]:
    """The digest of the model after it was caught up, and how many gates are open."""
    log = SqliteLog.open_for_reading(data)
    try:
        database = await caught_up(log, _target(data), lambda _: None)
    finally:
        log.close()
    try:
        return digest_of(database), Questions(database).count_open()
    finally:
        database.close()


async def test_what_was_kept_up_is_what_is_built_anew(data: Path) -> None:
    """After each change of the log the same digest as a fold of all of it, and the right count."""
    kept, open_ = await _current(data)
    await _rebuilt(data)
    assert (await _current(data)) == (kept, open_)
    assert open_ == 2

    await _fill(data, 2, decided=2)
    kept, open_ = await _current(data)
    await _rebuilt(data)
    assert (await _current(data)) == (kept, open_)
    assert open_ == 2


async def test_a_rebuild_goes_on_where_a_killed_one_ended(data: Path) -> None:
    """The new file with a part of the events is filled up, and takes the place of the old one."""
    kept, _ = await _current(data)
    path = data / "read-model.db"
    log = SqliteLog.open_for_reading(data)
    with rebuilding(path) as new:
        database = open_sqlite(new)
        told: list[int] = []
        half = _Half(log)
        await Projector(half, ReadModel(database), AvroCodec()).catch_up(told.append)
        database.close()
    folded: list[int] = []
    await rebuild({0: log}, _target(data), folded.append)
    end = await log.end()
    log.close()

    assert 0 < sum(told) < end
    assert sum(told) + sum(folded) == end
    assert not new.exists()
    assert (await _current(data))[0] == kept


class _Half:
    """The log as it was when half of its events were there."""

    def __init__(self, log: SqliteLog) -> None:
        self._log = log

    async def read(self, start: int = 0) -> AsyncIterator[Sequence[StoredEvent]]:
        half = await self._log.end() // 2
        async for piece in self._log.read(start):
            fitting = [each for each in piece if each.offset < half]
            if fitting:
                yield fitting


async def test_a_reader_keeps_the_file_it_has_and_a_writer_of_it_is_refused(data: Path) -> None:
    """While a new file takes the place of the old one: both stay whole, nobody reads half."""
    path = data / "read-model.db"
    digest, _ = await _current(data)
    old, number = open_sqlite(path), path.stat().st_ino
    await _rebuilt(data)

    assert path.stat().st_ino != number
    assert digest_of(old) == digest
    old.close()
    again = open_sqlite(path)
    assert digest_of(again) == digest
    again.close()


async def test_a_log_that_was_exchanged_is_refused_until_it_is_rebuilt(
    data: Path, tmp_path: Path
) -> None:
    """A read model of another log answers nothing: `ReadModelDiffers` says what to do."""
    await _current(data)
    await _fill(tmp_path / "other", 3, decided=1)
    other = SqliteLog.open_for_reading(tmp_path / "other")

    with pytest.raises(ReadModelDiffers, match="hitl rebuild"):
        await caught_up(other, _target(data), lambda _: None)
    await rebuild({0: other}, _target(data), lambda _: None)
    (await caught_up(other, _target(data), lambda _: None)).close()
    other.close()


async def test_two_rebuilds_do_not_meet(data: Path) -> None:
    """The second is told that one is at work, in one line."""
    with (
        rebuilding(data / "read-model.db"),
        pytest.raises(LogUnavailable, match="another process that does it"),
    ):
        await _rebuilt(data)


_FOLD = """
import asyncio, sys
from pathlib import Path
from hitl_events.adapters.readmodel.sqlite_target import SqliteTarget
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.readmodel.local import caught_up
log = SqliteLog.open_for_reading(sys.argv[1])
target = SqliteTarget(Path(sys.argv[1]) / "read-model.db")
asyncio.run(caught_up(log, target, lambda _: None)).close()
"""


async def test_many_processes_that_ask_at_once_fold_each_event_once(data: Path) -> None:
    """They wait for each other instead of fencing each other; the model is whole after it."""
    children = [
        subprocess.Popen([sys.executable, "-c", _FOLD, str(data)], stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    said = [(child.communicate(timeout=60)[1], child.returncode) for child in children]
    assert [code for _, code in said] == [0] * 6, said

    kept = await _current(data)
    await _rebuilt(data)
    assert await _current(data) == kept


async def test_a_file_that_is_no_read_model_is_left_alone(tmp_path: Path) -> None:
    """Another database, or one of a newer release: one line, and not a byte of it changes."""
    other, newer = tmp_path / "other.db", tmp_path / "newer.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE things (name TEXT)")
    connection.close()
    open_sqlite(newer).close()
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()

    for path, problem in ((other, "another program's"), (newer, "upgrade hitl-events")):
        before = path.read_bytes()
        with pytest.raises(LogUnavailable, match=problem):
            open_sqlite(path)
        assert path.read_bytes() == before


_GHOST = """INSERT INTO steps SELECT 'ghost', kind, step, occurrence, status, attempt, seq, at_us,
duration_us, error, message, retry_us FROM steps LIMIT 1"""


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE gates SET status = 'approved' WHERE closed_seq IS NULL", "gates"),
        ("UPDATE decisions SET decided_by = 'eve'", "decisions"),
        ("UPDATE runs SET status = 'completed'", "runs"),
        ("DELETE FROM steps WHERE seq = 2", "steps"),
        ("UPDATE events SET at_us = at_us + 1 WHERE seq = 3", "events"),
        ("UPDATE counters SET count = count + 1 WHERE name = 'gates'", "gates open"),
        ("DELETE FROM runs", "runs"),
        (_GHOST, "steps"),
    ],
)
async def test_what_was_changed_in_the_read_model_is_found(
    data: Path, change: str, found: str
) -> None:
    """Each changed, removed or invented row is named with its run, a count by its name."""
    await _current(data)
    database = open_sqlite(data / "read-model.db")
    database.rows(change)

    log = SqliteLog.open_for_reading(data)
    run_ids = [each.run_id async for page in log.positions() for each in page]
    loaded = await log.load(run_ids)
    log.close()
    comparison = Comparison(database, AvroCodec())
    told = [each for run_id in run_ids for each in comparison.run(run_id, loaded[run_id])]
    told += comparison.finish(run_ids)
    database.close()

    assert told
    assert found in told[0].problem
    assert (told[0].run_id in {*run_ids, RunId("ghost")}) or "count of" in told[0].problem


async def test_whoever_has_just_decided_reads_it(tmp_path: Path) -> None:
    """Kept up beside a runtime: once `reached` returns the read model has the decision."""
    data, path = tmp_path / "data", tmp_path / "data" / "read-model.db"
    await _fill(data, 0)
    async with Following.open(data, _target(data)) as following:
        setting = Setting(observer=following)
        async with Runtime.open(data, recipes=[reviewed()], setting=setting) as runtime:
            paused = await runtime.run("r", 1)
            await runtime.decide(paused.token or "", "approve", decided_by="ann")
            log = SqliteLog.open_for_reading(data)
            await following.reached(await log.end())
            log.close()
            model = open_sqlite(path)
            assert Questions(model).counters()["decisions", "received"] == 1
            model.close()


async def test_a_read_model_in_trouble_stops_no_run(tmp_path: Path) -> None:
    """Decisions are taken on; `reached` says in one line what the trouble is."""
    data = tmp_path / "data"
    await _fill(data, 0)
    (data / "read-model.db").write_bytes(b"no database at all, but some text" * 40)
    async with Following.open(data, _target(data)) as following:
        setting = Setting(observer=following)
        async with Runtime.open(data, recipes=[reviewed()], setting=setting) as runtime:
            paused = await runtime.run("r", 1)
            outcome = await runtime.decide(paused.token or "", "approve")
            assert outcome.status == "ok"
            with pytest.raises(LogUnavailable, match=r"read-model\.db"):
                await following.reached(5, within_s=0.5)


def test_its_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    """Drafts and decisions stand in it: mode 0600."""
    asyncio.run(_fill(tmp_path / "data", 1))
    asyncio.run(_rebuilt(tmp_path / "data"))

    made_ = tmp_path / "data" / "read-model.db"
    assert made_.stat().st_mode & 0o777 == 0o600
