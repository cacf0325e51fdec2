"""The connection of a read model on its own thread: in order, opened when needed, opened anew."""

import asyncio
import threading
from pathlib import Path

import pytest

from hitl_events.adapters.readmodel.desk import Desk
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.sqlite import open_sqlite
from hitl_events.errors import Fenced, LogUnavailable
from hitl_events.projections.rows import Rows


async def test_work_whose_caller_went_is_ended_before_the_next(tmp_path: Path) -> None:
    """Two never meet in one transaction."""
    desk = Desk(lambda: ReadModel(open_sqlite(tmp_path / "m.db")))
    begun, may_end = threading.Event(), threading.Event()
    story: list[str] = []

    def slow() -> None:
        begun.set()
        assert may_end.wait(20)
        story.append("the first has ended")

    task = asyncio.create_task(desk.do(slow))
    await asyncio.to_thread(begun.wait, 20)
    task.cancel()
    after = asyncio.create_task(desk.do(lambda: story.append("the next began")))
    await asyncio.wait([task], timeout=20)
    may_end.set()
    await after
    await desk.close()

    assert task.cancelled()
    assert story == ["the first has ended", "the next began"]


async def test_after_an_error_it_is_opened_anew(tmp_path: Path) -> None:
    """The connection may be broken, or the file at that place another one by now."""
    opened: list[ReadModel] = []
    failing = True

    def open_model() -> ReadModel:
        if failing:
            raise LogUnavailable("expected a database, found none")
        opened.append(ReadModel(open_sqlite(tmp_path / "m.db")))
        return opened[-1]

    desk = Desk(open_model)
    with pytest.raises(LogUnavailable):
        await desk.check()
    failing = False
    first = await desk.do(lambda: desk.take_over(1))
    await desk.do(lambda: desk.take_over(1))
    assert len(opened) == 1
    with pytest.raises(Fenced):
        await desk.do(lambda: desk.write(first, Rows(), 5, 4))
    assert (await desk.do(lambda: desk.take_over(1))).next_offset == 0
    await desk.close()

    assert len(opened) == 2
