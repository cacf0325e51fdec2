"""A projector that was overtaken is told so, whatever the other one has written meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.sqlite import open_sqlite
from hitl_events.errors import Fenced, ImpossibleHistory
from hitl_events.ports import StoredEvent
from hitl_events.projections.folding import Folding
from hitl_events.runtime.projector import Projector
from hitl_events.testing.checks.samples import Story


class Growing:
    """A partition of which so much is there."""

    def __init__(self, values: Sequence[bytes], end: int) -> None:
        self._values = values
        self.end = end

    async def read(self, start: int = 0) -> AsyncIterator[Sequence[StoredEvent]]:
        """As the port says, in one piece."""
        piece = [StoredEvent(offset=at, value=self._values[at]) for at in range(start, self.end)]
        if piece:
            yield piece


async def test_events_that_another_wrote_are_no_impossible_history(tmp_path: Path) -> None:
    """A stale projector reads rows that are ahead of it: it is fenced, the log is not blamed."""
    log = Growing([each.value for each in Story().tell(4)], end=2)
    one, two = (ReadModel(open_sqlite(tmp_path / "model.db")) for _ in range(2))
    stale = Projector(log, one, AvroCodec())
    # its memory holds no run that rests, as after many others
    stale._folding = Folding(AvroCodec(), one.load, kept_bytes=0)
    await stale.catch_up()
    log.end = 4
    await Projector(log, two, AvroCodec()).catch_up()

    with pytest.raises(Fenced):
        await stale.catch_up()
    for model in (one, two):
        model.close()


async def test_a_history_that_no_engine_wrote_is_still_one(tmp_path: Path) -> None:
    """Where nobody else has written, what does not fit is the log's fault."""
    story = Story("broken")
    values = [each.value for each in story.tell(4)]
    model = ReadModel(open_sqlite(tmp_path / "model.db"))

    with pytest.raises(ImpossibleHistory):
        await Projector(Growing([values[0], values[2]], 2), model, AvroCodec()).catch_up()
    model.close()
