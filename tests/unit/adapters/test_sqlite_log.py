import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hitl_events.adapters import limits
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.adapters.sqlite.events import JOINED_BYTES
from hitl_events.domain.values import RunId
from hitl_events.errors import InvalidInput, LogUnavailable, ReadOnlyLog
from hitl_events.ports import Answer, EffectBatch
from hitl_events.testing.checks.promise import everything, values
from hitl_events.testing.checks.samples import (
    NOON,
    Story,
    letter,
    many,
    noise,
    submission,
    together,
)
from tests.unit.adapters.conftest import UntilEnd


@pytest.fixture
def log(tmp_path: Path, until_end: UntilEnd) -> SqliteLog:
    """A new log that is owned."""
    opened = until_end(SqliteLog.open(tmp_path / "data"))
    assert opened.try_own()
    return opened


def _rows(log: SqliteLog, sql: str) -> list[tuple[object, ...]]:
    """What another program sees in the file."""
    connection = sqlite3.connect(log.path / "log.db")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


async def test_small_commits_share_a_block(log: SqliteLog) -> None:
    """Commits of single runs fill blocks together, and every event keeps its offset."""
    stories = many(60)
    for story in stories:
        await log.append(story.batch(3))

    sizes = [size for (size,) in _rows(log, "SELECT length(data) FROM blocks ORDER BY first")]
    assert len(sizes) < len(stories) // 5
    assert max(map(int, map(str, sizes))) <= JOINED_BYTES + 500
    assert await values(log) == [value for story in stories for value in story.values]


async def test_a_reader_may_be_slow(log: SqliteLog, until_end: UntilEnd) -> None:
    """A reading that was begun gives the same events while the log grows under it."""
    stories = many(200)
    await log.append(together(*stories[:100], count=3))
    reading = until_end(SqliteLog.open_for_reading(log.path)).read()
    found: list[bytes] = []
    async for piece in reading:
        found += [event.value for event in piece]
        await log.append(stories.pop().batch(1, noise(2000)))

    assert found == (await values(log))[:300]


async def test_a_reader_sees_every_moment_whole(log: SqliteLog, until_end: UntilEnd) -> None:
    """Whoever loads a run while its owner writes, gets whole batches of it."""
    story, reader = Story(), until_end(SqliteLog.open_for_reading(log.path))
    for _ in range(30):
        await log.append(story.batch(3))
        found = await reader.load([story.run_id])
        assert found[story.run_id] == tuple(story.values)


async def test_an_import_is_one_transaction(log: SqliteLog) -> None:
    """What fails in the middle of an import leaves the log empty, and able to run."""
    story, stale = Story(), Story("stale")
    stale.tell(4)

    with pytest.raises(InvalidInput):
        await log.fill([story.batch(2), EffectBatch(events=stale.tell(1))])

    assert await log.end() == 0
    assert not log.imported
    await log.append(Story().batch())


async def test_what_was_imported_is_only_read(log: SqliteLog, until_end: UntilEnd) -> None:
    """After an import the log reads as ever, and nothing may run in it, by whomever."""
    stories = many(3)
    await log.fill([story.batch(2) for story in stories])
    other = until_end(SqliteLog.open(log.path))

    assert await values(other) == [value for story in stories for value in story.values]
    assert other.imported
    for opened in (log, other):
        with pytest.raises(ReadOnlyLog):
            opened.try_own()
        with pytest.raises(ReadOnlyLog):
            await opened.put(submission())


async def test_only_an_empty_log_is_filled(log: SqliteLog) -> None:
    """An import never mixes with what is there."""
    await log.append(Story().batch(2))

    with pytest.raises(InvalidInput, match="found 2 events"):
        await log.fill([Story("other").batch()])

    assert await log.end() == 2


async def test_a_log_that_has_taken_a_record_is_not_filled(log: SqliteLog) -> None:
    """What was submitted or refused there would be lost in a log that is only read."""
    before = log.used
    offset = await log.put(submission())
    await log.append(EffectBatch(settled=[(offset, Answer(run_id=None, seq=None))]))

    assert (before, log.used) == (False, True)
    with pytest.raises(InvalidInput, match="expected an empty log"):
        await log.fill([Story().batch()])


async def test_old_answers_are_forgotten(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many answers as the limit says are kept, the newest."""
    monkeypatch.setattr("hitl_events.adapters.sqlite.intake.ANSWERS_KEPT", 3)
    answer = Answer(run_id=RunId("run-1"), seq=2)
    offsets = [await log.put(submission()) for _ in range(5)]
    for offset in offsets:
        await log.append(EffectBatch(settled=[(offset, answer)]))

    assert [await log.answer(offset) for offset in offsets] == [None, None, *[answer] * 3]


async def test_old_dead_letters_are_forgotten(log: SqliteLog) -> None:
    """As many dead letters as the limit says are kept, the newest."""
    letters = [letter(str(n).encode()) for n in range(limits.DEAD_LETTERS_KEPT + 5)]
    await log.append(EffectBatch(dead_letters=letters))

    kept = await log.list(limits.DEAD_LETTERS_KEPT + 100)
    assert len(kept) == limits.DEAD_LETTERS_KEPT
    assert (kept[0][1].value, kept[-1][1].value) == (letters[-1].value, b"5")


async def test_numbers_beyond_sqlite_are_refused(log: SqliteLog) -> None:
    """A number that no row can have is `InvalidInput`, not a crash."""
    for asking in (log.answer(2**63), log.discard(2**70), log.take(2**63, 1), log.list(2**63)):
        with pytest.raises(InvalidInput, match=r"below 2\^63"):
            await asking
    assert await everything(log, 2**70) == []


async def test_a_closed_log_says_so(log: SqliteLog) -> None:
    """Using a log after its end is an error of ours, in one line that says what to do."""
    log.close()

    with pytest.raises(LogUnavailable, match=r"expected an open log .* open it again"):
        await log.end()


async def test_a_locked_log_is_waited_for_and_no_longer(
    log: SqliteLog, until_end: UntilEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who keeps the file locked longer than a commit can take makes the others say so."""
    monkeypatch.setattr("hitl_events.adapters.sqlite.file.BUSY_WAIT_S", 0.05)
    other = until_end(SqliteLog.open(log.path))
    blocker = sqlite3.connect(log.path / "log.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    with pytest.raises(LogUnavailable, match="another process kept it locked"):
        await other.put(submission())

    blocker.close()
    assert await other.put(submission()) > 0


async def test_take_waits_for_what_is_being_put(
    log: SqliteLog, until_end: UntilEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`take` does not look past a record that bears an earlier time and is just being written."""
    monkeypatch.setattr("hitl_events.adapters.sqlite.file.BUSY_WAIT_S", 0.05)
    other = until_end(SqliteLog.open(log.path))
    putting = sqlite3.connect(log.path / "log.db", isolation_level=None)
    putting.execute("BEGIN IMMEDIATE")
    putting.execute("INSERT INTO intake VALUES (1, 'decision', NULL, x'7b7d', '[]', 'cli', 5)")

    with pytest.raises(LogUnavailable):
        await other.take(0, 10)

    putting.execute("COMMIT")
    putting.close()
    assert [record.source.offset for record in await other.take(0, 10)] == [1]


async def test_what_is_asked_often_is_indexed(log: SqliteLog) -> None:
    """Timers, busy runs and single runs are found by an index, however many runs there are."""
    for sql, index in (
        ("SELECT min(due_us) FROM runs WHERE due_us IS NOT NULL", "runs_due"),
        ("SELECT run_id FROM runs WHERE due_us <= 5 ORDER BY due_us, run LIMIT 9", "runs_due"),
        ("SELECT run_id FROM runs WHERE busy = 1 ORDER BY run LIMIT 9", "runs_busy"),
        ("SELECT run FROM runs WHERE run_id IN (x'00', 'a')", "sqlite_autoindex_runs_1"),
    ):
        plan = " ".join(str(row[3]) for row in _rows(log, f"EXPLAIN QUERY PLAN {sql}"))
        assert index in plan
        assert "TEMP B-TREE" not in plan


async def test_a_timer_keeps_its_microsecond(log: SqliteLog) -> None:
    """Times are stored exactly: a timer fires neither a microsecond early nor late."""
    story = Story()
    due = NOON + timedelta(microseconds=999_999)
    batch = replace(story.batch(), positions=[story.position("paused", due)])
    await log.append(batch)

    assert await log.next_due() == due
    assert await log.due(due - timedelta(microseconds=1), 1) == []
    assert await log.due(due, 1) == [story.run_id]


async def test_durability_is_set_explicitly(log: SqliteLog) -> None:
    """Every commit is forced to the disk, whatever this SQLite was built with."""
    pragmas = {name: log._file.row(f"PRAGMA {name}")[0] for name in ("synchronous", "fullfsync")}

    assert pragmas == {"synchronous": 2, "fullfsync": 1}
    assert _rows(log, "PRAGMA journal_mode") == [("wal",)]
