"""Waiting for an event that somebody else folds into the read model."""

import asyncio
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.reader import Questions
from hitl_events.adapters.readmodel.sqlite import open_sqlite
from hitl_events.domain.values import RunId
from hitl_events.errors import LogUnavailable
from hitl_events.ports import StoredEvent
from hitl_events.readmodel.waiting import shown
from hitl_events.runtime.tenant import Tenant
from hitl_events.testing.histories import history_of
from hitl_events.testing.mixing import chained

CODEC = AvroCodec()
RUN = RunId("run")


async def test_it_returns_once_the_event_is_there(tmp_path: Path) -> None:
    """Whoever folds it, over another connection; not for the one before it."""
    values = chained(history_of(Random(7), ended=True), RUN, CODEC)
    events = [StoredEvent(offset=at, value=value) for at, value in enumerate(values)]
    path = tmp_path / "read-model.db"
    with closing(open_sqlite(path)) as written, closing(open_sqlite(path)) as read:
        tenant, questions = Tenant(ReadModel(written), CODEC, "t.events", 0), Questions(read)
        tenant.write(events[:1], 1)
        looks = 0

        async def ask(run_id: RunId, seq: int) -> bool:
            nonlocal looks
            looks += 1
            if looks == 3:
                tenant.write(events[1:2], 2)
            return questions.has(run_id, seq)

        await shown(ask, RUN, 1)
        assert looks == 1
        await shown(ask, RUN, 2)
        assert looks == 3


async def test_it_has_a_bound() -> None:
    """A projector that is away is told of by the run and the event."""

    async def ask(run_id: RunId, seq: int) -> bool:
        return False

    with pytest.raises(LogUnavailable, match="event 4 of run 'run'"):
        async with asyncio.timeout(20):
            await shown(ask, RUN, 4, within_s=0.01)
