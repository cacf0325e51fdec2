"""Events of a topic by their run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hitl_events.client.spool import Spool
from hitl_events.domain.values import RunId
from hitl_events.errors import CorruptLog, ImpossibleHistory
from tests.unit.client.stored import paused_run, stored


@pytest.fixture
def spool() -> Iterator[Spool]:
    """An empty one."""
    made = Spool()
    yield made
    made.close()


async def _positions(spool: Spool) -> list[tuple[str, int, str]]:
    return [
        (each.run_id, each.seq, each.status) async for piece in spool.positions() for each in piece
    ]


async def test_runs_come_in_the_order_of_their_start(spool: Spool) -> None:
    """Whichever partition was read first; each with its own events, which were interleaved."""
    late, early = paused_run("a", started_s=9), paused_run("b", started_s=1)
    spool.add([stored(late[0], key=b"a", offset=4), stored(late[1], key=b"a", offset=6)])
    spool.add(stored(each, key=b"b", partition=1, offset=n) for n, each in enumerate(early))
    spool.fold()

    assert await _positions(spool) == [("b", 2, "paused"), ("a", 2, "paused")]
    assert list(spool.run_ids()) == ["b", "a"]
    assert await spool.load([RunId("a"), RunId("c")]) == {"a": tuple(late)}
    assert spool.places(RunId("a")) == [(0, 4), (0, 6)]
    assert await spool.end() == 4


async def test_a_run_without_its_beginning_is_told(spool: Spool) -> None:
    """It is not left out as if it were not there."""
    spool.add([stored(paused_run("a")[1], key=b"a")])
    spool.fold()

    assert not spool.has_starts(["a"])
    with pytest.raises(ImpossibleHistory):
        await _positions(spool)


async def test_an_event_under_the_key_of_another_run_is_told(spool: Spool) -> None:
    """A run is read by its key, so the key must be that of its events."""
    spool.add([stored(paused_run("a")[0], key=b"b")])
    spool.fold()

    with pytest.raises(CorruptLog, match="run 'b'"):
        await spool.load([RunId("b")])


@pytest.mark.parametrize(
    ("key", "value"), [(None, b"x"), (b"\xff", b"x"), (b"", b"x"), (b"a", None)]
)
def test_what_is_no_event_is_told_with_its_place(
    spool: Spool, key: bytes | None, value: bytes | None
) -> None:
    """Topic, partition and offset, for whoever has to look."""
    with pytest.raises(CorruptLog, match=r"hitl.events-3, offset 5"):
        spool.add([stored(value, key=key, partition=3, offset=5)])


async def test_no_more_than_a_piece_is_in_memory(spool: Spool) -> None:
    """Many runs are given in several pieces, none twice."""
    for number in range(450):
        run_id = f"r-{number:03}"
        values = paused_run(run_id, started_s=number % 7)
        spool.add(stored(each, key=run_id.encode()) for each in values)
    spool.fold()
    pieces = [[each.run_id for each in piece] async for piece in spool.positions()]

    assert len(pieces) > 1
    assert len({run_id for piece in pieces for run_id in piece}) == 450
