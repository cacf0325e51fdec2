"""A projector that begins: a read model that is not there is told before anything is joined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.clustered.projecting import Projecting, projecting
from hitl_events.errors import LogUnavailable


async def test_a_read_model_that_can_not_be_opened_is_told_first() -> None:
    """No broker is asked: the error is that of the database."""
    watcher: Any = Mapping
    asked: list[str] = []

    def open_model() -> ReadModel:
        asked.append("opened")
        raise LogUnavailable("expected a database, found none")

    nowhere = KafkaSettings(bootstrap=("nowhere.invalid:1",))
    member = Projecting(settings=nowhere, open_model=open_model, watcher=watcher)

    with pytest.raises(LogUnavailable, match="expected a database"):
        async with projecting(member):
            raise AssertionError("expected nobody to take part")
    assert asked == ["opened"]
