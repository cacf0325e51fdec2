"""A partition that is kept up with: pieces as they come, marks that are passed, an orderly end."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, closing
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.adapters.readmodel.desk import Desk
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.sqlite import open_sqlite
from hitl_events.clustered.folded import WAITING_EVENTS_MAX, Folded, Writer
from hitl_events.errors import CorruptLog, Fenced
from hitl_events.runtime.tenant import Tenant
from hitl_events.testing.histories import history_of
from hitl_events.testing.mixing import chained

_T = TypeVar("_T")
CODEC = AvroCodec()
PLACE = Place("t.events", 3)


def records(values: Sequence[bytes | None], first: int = 0) -> list[Stored]:
    """As a broker gives them."""
    return [
        Stored(place=PLACE, offset=first + at, timestamp_ms=0, key=None, value=value)
        for at, value in enumerate(values)
    ]


def run_values(run_id: str) -> list[bytes]:
    """All of one run."""
    return chained(history_of(Random(7), ended=True), run_id, CODEC)


class Closing(Desk):
    """A desk that `aclosing` closes."""

    async def aclose(self) -> None:
        """Close it."""
        await self.close()


class Kept:
    """A partition in a SQLite read model, fed by the test."""

    def __init__(self, desk: Desk, tenant: Tenant) -> None:
        self.desk = desk
        self.tenant = tenant
        self.fed_to: int | None = None
        self.pieces: list[int] = []
        self.began = asyncio.Event()
        self.writes = asyncio.Event()
        self._news = asyncio.Event()
        writer = Writer(tenant, self._do, self._told)
        self.folded = Folded(writer, self._begin, self._fed_to)

    def _do(self, work: Callable[[], _T]) -> Awaitable[_T]:
        self.writes.set()
        return self.desk.do(work)

    def _begin(self, folded: Folded) -> None:
        self.began.set()
        self.fed_to = self.tenant.next_offset

    async def _fed_to(self) -> int | None:
        return self.fed_to

    def _told(self, events: int, took_s: float) -> None:
        self.pieces.append(events)
        self._news.set()

    def feed(self, fed: list[Stored]) -> None:
        """These, and no mark behind them."""
        self.fed_to = fed[-1].offset + 1
        self.folded.feed(fed)

    async def reaches(self, next_offset: int) -> None:
        """Wait for it."""
        async with asyncio.timeout(20):
            while self.tenant.next_offset < next_offset:
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def kept(path: Path) -> AsyncGenerator[Kept]:
    """It serves; stopped in the end."""
    async with aclosing(Closing(lambda: ReadModel(open_sqlite(path)))) as desk:
        tenant = await desk.do(lambda: Tenant(desk, CODEC, PLACE.topic, PLACE.partition))
        its = Kept(desk, tenant)
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(its.folded.serve())
            await its.began.wait()
            yield its
            its.folded.stop()


async def test_what_comes_is_written_and_marks_are_passed(tmp_path: Path) -> None:
    """A mark that came with the events in the same piece, one that came alone soon after."""
    values = run_values("a")
    async with kept(tmp_path / "read-model.db") as its:
        its.feed(records(values))
        its.fed_to = len(values) + 1
        await its.reaches(len(values) + 1)
        assert its.pieces == [len(values)]

        its.fed_to = len(values) + 3
        await its.reaches(len(values) + 3)

    assert its.pieces == [len(values), 0]
    assert its.tenant.tenure.last_offset == len(values) - 1


async def test_a_place_that_is_not_of_the_feeding_is_not_believed(tmp_path: Path) -> None:
    """Until the first record of its own can have come nothing is known of the place."""
    values = run_values("a")
    async with kept(tmp_path / "read-model.db") as its:
        its.fed_to = None
        its.folded.feed(records(values))
        await its.reaches(len(values))

    assert its.tenant.next_offset == len(values)


async def test_while_one_piece_is_written_the_next_gathers(tmp_path: Path) -> None:
    """So that load makes large pieces; what waits is bounded, and counted as not shown yet."""
    runs = [run_values(f"run-{number}") for number in range(200)]
    async with kept(tmp_path / "read-model.db") as its:
        first, rest = runs[0], [value for run in runs[1:] for value in run]
        its.feed(records(first))
        await its.writes.wait()
        its.feed(records(rest, len(first)))
        assert its.folded.held(PLACE.topic) == len(first) + len(rest)
        await its.reaches(len(first) + len(rest))

    assert its.pieces[0] in (len(first), 2000, len(first) + len(rest))
    assert len(its.pieces) <= 3
    assert its.folded.held(PLACE.topic) == 0


async def test_it_is_full_at_its_bound(tmp_path: Path) -> None:
    """By number of events, or by their size where they are large."""
    async with aclosing(Closing(lambda: ReadModel(open_sqlite(tmp_path / "m.db")))) as desk:
        tenant = await desk.do(lambda: Tenant(desk, CODEC, PLACE.topic, PLACE.partition))
        many, large = Kept(desk, tenant).folded, Kept(desk, tenant).folded
        many.feed(records([b""] * (WAITING_EVENTS_MAX - 1)))
        large.feed(records([bytes(900_000)] * 10))
        assert (many.is_full, large.is_full) == (False, False)

        many.feed(records([b""]))
        large.feed(records([bytes(900_000)] * 10))

        assert (many.is_full, large.is_full) == (True, True)


async def test_one_without_a_value_is_a_bad_record(tmp_path: Path) -> None:
    """No engine writes it: what stands before it is folded, and its place is told."""
    first, *others = run_values("a")
    path = tmp_path / "read-model.db"
    with pytest.raises(ExceptionGroup) as caught:
        async with kept(path) as its:
            its.feed(records([first, None, *others]))
            await its.reaches(9)

    (error,) = caught.value.exceptions
    assert isinstance(error, CorruptLog)
    assert error.place == (*PLACE, 1)
    assert taken_over(path) == 1


async def test_one_that_is_fenced_ends(tmp_path: Path) -> None:
    """With the next piece; it writes nothing of that."""
    values = run_values("a")
    path = tmp_path / "read-model.db"
    with pytest.raises(ExceptionGroup) as caught:
        async with kept(path) as its:
            its.feed(records(values[:2]))
            await its.reaches(2)
            assert taken_over(path) == 2
            its.feed(records(values[2:], 2))
            await its.reaches(9)

    assert isinstance(caught.value.exceptions[0], Fenced)
    assert taken_over(path) == 2


def taken_over(path: Path) -> int:
    """By somebody else: where that one goes on."""
    with closing(open_sqlite(path)) as database:
        return ReadModel(database).take_over(PLACE.partition).next_offset
