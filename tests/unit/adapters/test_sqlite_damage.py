import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from hitl_events.adapters.sqlite import Damage, SqliteLog
from hitl_events.domain.values import RunId
from hitl_events.errors import CorruptLog, HitlError
from hitl_events.ports import StoredEvent
from hitl_events.testing.checks.promise import everything
from hitl_events.testing.checks.samples import Story, many, noise, together
from tests.unit.adapters.conftest import UntilEnd

BLOCKS = 6
RUNS_PER_BLOCK = 3


class Harmed:
    """A closed log of six blocks with three runs each, and the means to harm its file."""

    def __init__(self, path: Path, stories: list[Story]) -> None:
        self.path = path
        self.stories = stories

    def sql(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """Run a statement past the adapter."""
        connection = sqlite3.connect(self.path / "log.db", isolation_level=None)
        try:
            return connection.execute(statement, parameters).fetchall()
        finally:
            connection.close()

    def firsts(self) -> list[int]:
        """The offsets at which the blocks begin."""
        return [int(str(first)) for (first,) in self.sql("SELECT first FROM blocks")]

    def flip(self, first: int, byte: int) -> None:
        """Turn one bit of a block's data over."""
        ((data,),) = self.sql("SELECT data FROM blocks WHERE first = ?", first)
        assert isinstance(data, bytes)
        bent = bytearray(data)
        bent[byte % len(bent)] ^= 0x10
        self.sql("UPDATE blocks SET data = ? WHERE first = ?", bytes(bent), first)

    def ids(self, block: int) -> list[RunId]:
        """The runs in a block, as it was written."""
        start = block * RUNS_PER_BLOCK
        return [story.run_id for story in self.stories[start : start + RUNS_PER_BLOCK]]


@pytest.fixture
async def harmed(tmp_path: Path) -> Harmed:
    """Six blocks of two events of three runs each, not joined because of their size."""
    log = SqliteLog.open(tmp_path / "data")
    log.try_own()
    stories = many(BLOCKS * RUNS_PER_BLOCK)
    for start in range(0, len(stories), RUNS_PER_BLOCK):
        some = stories[start : start + RUNS_PER_BLOCK]
        batch = together(*some)
        events = [*batch.events, *(each for story in some for each in story.tell(1, noise(4000)))]
        positions = [story.position() for story in some]
        await log.append(type(batch)(events=events, positions=positions))
    log.close()
    harmed = Harmed(tmp_path / "data", stories)
    assert len(harmed.firsts()) == BLOCKS
    return harmed


async def _pieces(
    reading: AsyncIterator[Sequence[StoredEvent] | Damage],
) -> tuple[list[int], list[Damage]]:
    offsets: list[int] = []
    damages: list[Damage] = []
    async for piece in reading:
        if isinstance(piece, Damage):
            damages.append(piece)
        else:
            offsets += [event.offset for event in piece]
    return offsets, damages


@pytest.mark.parametrize("byte", [0, 1, 4, 5, 300, -1])
async def test_a_flipped_bit_stops_the_reader(
    harmed: Harmed, until_end: UntilEnd, byte: int
) -> None:
    """Reading and loading end with `CorruptLog`, which names the block, and not before it."""
    first = harmed.firsts()[2]
    harmed.flip(first, byte)
    log = until_end(SqliteLog.open(harmed.path))

    with pytest.raises(CorruptLog, match=f"block at offset {first}"):
        await everything(log)
    with pytest.raises(CorruptLog, match=f"block at offset {first}"):
        await log.load(harmed.ids(2))
    assert len(await log.load(harmed.ids(1) + harmed.ids(3))) == 2 * RUNS_PER_BLOCK


async def test_an_auditor_reads_on(harmed: Harmed, until_end: UntilEnd) -> None:
    """`read_lenient` names what is damaged and gives all the rest; the index tells whose it was."""
    first, after = harmed.firsts()[2:4]
    harmed.flip(first, 50)
    log = until_end(SqliteLog.open_for_reading(harmed.path))

    offsets, (damage,) = await _pieces(log.read_lenient())

    assert (damage.first, damage.count) == (first, after - first)
    assert "checksum" in damage.problem
    assert offsets == [at for at in range(await log.end()) if not first <= at < after]
    assert await log.runs_in_block(first) == dict.fromkeys(harmed.ids(2), (1, 2))
    assert await log.runs_in_block(first + 1, 2) == dict.fromkeys(harmed.ids(2)[1:], (1,))


@pytest.mark.parametrize("gone", [0, 2])
async def test_a_removed_block_is_a_gap(harmed: Harmed, until_end: UntilEnd, gone: int) -> None:
    """Events that were removed are missed, by their offsets and by their runs."""
    first, after = harmed.firsts()[gone : gone + 2]
    harmed.sql("DELETE FROM blocks WHERE first = ?", first)
    log = until_end(SqliteLog.open(harmed.path))

    offsets, (damage,) = await _pieces(log.read_lenient())

    assert (damage.first, damage.count) == (first, after - first)
    assert offsets == [at for at in range(await log.end()) if not first <= at < after]
    with pytest.raises(CorruptLog, match=f"block at offset {first}"):
        await everything(log)
    with pytest.raises(CorruptLog, match=repr(harmed.ids(gone)[0])):
        await log.load([harmed.ids(gone)[0]])


async def test_a_cut_tail_is_missed_by_its_runs(harmed: Harmed, until_end: UntilEnd) -> None:
    """Where the last events were removed, their runs still say that they had them."""
    harmed.sql("DELETE FROM blocks WHERE first = (SELECT max(first) FROM blocks)")
    log = until_end(SqliteLog.open(harmed.path))

    assert (await _pieces(log.read_lenient()))[1] == []
    for run_id in harmed.ids(BLOCKS - 1):
        with pytest.raises(CorruptLog, match=repr(run_id)):
            await log.load([run_id])
    positions = [each async for page in log.positions() for each in page]
    assert [each.seq for each in positions] == [2] * len(harmed.stories)


@pytest.mark.parametrize("count", ["0", "-1", "5", "1000", "2147483648", "'x'"])
async def test_an_edited_count_is_found(harmed: Harmed, until_end: UntilEnd, count: str) -> None:
    """A block whose row was edited is damage of that block only, and no crash."""
    first, after = harmed.firsts()[2:4]
    harmed.sql(f"UPDATE blocks SET count = {count} WHERE first = ?", first)
    log = until_end(SqliteLog.open(harmed.path))

    offsets, damages = await _pieces(log.read_lenient())

    assert [(each.first, each.first + each.count) for each in damages] == [(first, after)]
    assert offsets == [at for at in range(await log.end()) if not first <= at < after]


@pytest.mark.parametrize(
    "edit",
    [
        "spans = x'0001'",
        "spans = x'80'",
        "spans = x'0002'",
        "spans = x'FFFFFF7F02'",
        "spans = 'text'",
        "seq = 3",
        "seq = 'x'",
    ],
)
async def test_an_edited_index_is_found(harmed: Harmed, until_end: UntilEnd, edit: str) -> None:
    """A run whose row points elsewhere is an error when loaded, never another run's events."""
    last = len(harmed.stories)
    harmed.sql(f"UPDATE runs SET {edit} WHERE run = ?", last)
    log = until_end(SqliteLog.open(harmed.path))

    with pytest.raises(CorruptLog):
        await log.load([harmed.stories[-1].run_id])
    assert len(await log.load(harmed.ids(1))) == RUNS_PER_BLOCK


@pytest.mark.parametrize("edit", ["run_id = x'00'", "status = 77", "due_us = 'x'", "run_id = 7"])
async def test_an_edited_row_is_found(harmed: Harmed, until_end: UntilEnd, edit: str) -> None:
    """A run's row that is not ours is `CorruptLog` with its table, not a crash."""
    harmed.sql(f"UPDATE runs SET {edit} WHERE run = 2")
    log = until_end(SqliteLog.open(harmed.path))

    with pytest.raises(CorruptLog, match="table runs"):
        [page async for page in log.positions()]


async def test_a_damaged_end_takes_new_events(harmed: Harmed, until_end: UntilEnd) -> None:
    """What is appended after damage is sound; the damage stays to be found."""
    first = harmed.firsts()[-1]
    harmed.sql("UPDATE blocks SET data = x'00', count = 1 WHERE first = ?", first)
    log, story = until_end(SqliteLog.open(harmed.path)), Story("after")
    log.try_own()

    await log.append(story.batch(2))

    assert (await log.load([story.run_id]))[story.run_id] == tuple(story.values)
    assert [each.first for each in (await _pieces(log.read_lenient()))[1]] == [first]


@pytest.mark.parametrize("page", range(2, 30, 3))
async def test_broken_pages_are_one_error(harmed: Harmed, until_end: UntilEnd, page: int) -> None:
    """Noise over a page of the file ends in our errors or in right events, never in a crash."""
    with (harmed.path / "log.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(noise(4096))
    whole = {story.run_id: tuple(story.values) for story in harmed.stories}
    found: dict[RunId, tuple[bytes, ...]] = {}

    with suppress(HitlError):
        log = until_end(SqliteLog.open_for_reading(harmed.path))
        await _pieces(log.read_lenient())
        found.update(await log.load(whole))

    assert found in ({}, whole)
