"""What the embedded logs keep of others' records has an end, in number and in bytes."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from hitl_events.adapters import limits
from hitl_events.adapters.memory import MemoryLog
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.errors import IntakeFull, InvalidInput
from hitl_events.ports import Answer, EffectBatch
from hitl_events.testing.checks.samples import letter, submission

Log: TypeAlias = Any
YES = Answer(run_id=None, seq=None)


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    opened: Log = MemoryLog() if request.param == "memory" else SqliteLog.open(tmp_path / "data")
    assert opened.try_own()
    yield opened
    opened.close()


Limit: TypeAlias = Callable[[str, int], None]


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Limit:
    """Another limit for this test."""

    def set_to(name: str, value: int) -> None:
        monkeypatch.setattr(limits, name, value)

    return set_to


async def _waiting(log: Log) -> list[bytes]:
    return [record.value for record in await log.take(0, 1000)]


@pytest.mark.parametrize(
    ("name", "value"), [("INTAKE_RECORDS_MAX", 300), ("INTAKE_BYTES_MAX", 300 * 1010)]
)
async def test_a_full_intake_takes_no_more(log: Log, limit: Limit, name: str, value: int) -> None:
    """Beyond either bound `put` is one typed error; what was taken stays, and room is made."""
    limit(name, value)
    record = replace(submission(b"x" * 1000), headers=())
    numbers = [await log.put(record) for _ in range(290)]

    with pytest.raises(IntakeFull, match=r"found 3\d\d"):
        while len(numbers) < 300 + limits.LOOKED_AFTER:
            numbers += [await log.put(record)]
    with pytest.raises(IntakeFull):
        await log.put(record)

    assert len(await _waiting(log)) == len(numbers)
    await log.append(EffectBatch(settled=[(number, YES) for number in numbers[:100]]))
    assert await log.put(submission(b"again")) > numbers[-1]
    assert len(await _waiting(log)) == len(numbers) - 99


async def test_one_old_record_does_not_fill_the_intake(log: Log, limit: Limit) -> None:
    """What counts is what waits, not how many came since the oldest of it."""
    limit("INTAKE_RECORDS_MAX", 300)
    await log.put(submission(b"waits for its owner"))

    for _ in range(5):
        some = [await log.put(submission()) for _ in range(100)]
        await log.append(EffectBatch(settled=[(number, YES) for number in some]))

    assert await _waiting(log) == [b"waits for its owner"]


async def test_a_record_has_a_bound(log: Log) -> None:
    """A record as large as a broker would take is taken, a larger one is a typed error."""
    room = limits.RECORD_BYTES_KEPT_MAX - 1000
    await log.put(submission(b"x" * room))

    for large in (submission(b"x" * (room + 1000)), submission(b"", key=b"x" * (room + 1000))):
        with pytest.raises(InvalidInput, match="bytes"):
            await log.put(large)
    headed = replace(submission(), headers=(("h", b"x" * (room + 1000)),))
    with pytest.raises(InvalidInput, match="bytes"):
        await log.put(headed)

    assert len(await _waiting(log)) == 1


async def test_the_oldest_dead_letters_make_room(log: Log, limit: Limit) -> None:
    """Beyond their bound in bytes the oldest are forgotten, the newest stay whole."""
    limit("DEAD_LETTERS_BYTES_KEPT", 100_000)
    for number in range(300):
        await log.append(EffectBatch(dead_letters=[letter(b"%3d" % number + b"x" * 1000)]))

    kept = [each.value[:3] for _, each in await log.list(1000)]

    assert 50 < len(kept) <= 100 + limits.LOOKED_AFTER
    assert kept == [b"%3d" % number for number in range(299, 299 - len(kept), -1)]


async def test_a_dead_letter_larger_than_the_bound_is_kept(log: Log, limit: Limit) -> None:
    """The newest is always there to look at."""
    limit("DEAD_LETTERS_BYTES_KEPT", 10)
    limit("LOOKED_AFTER", 1)
    await log.append(EffectBatch(dead_letters=[letter(b"first"), letter(b"x" * 1000)]))

    assert [each.value for _, each in await log.list(10)] == [b"x" * 1000]
