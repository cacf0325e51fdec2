"""What stands at the ends of a topic's partitions, where some of them can not be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import pytest

from hitl_events.adapters.kafka import standing as module
from hitl_events.adapters.kafka.records import Place
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.standing import TopicStanding
from hitl_events.errors import CorruptLog, LogUnavailable

CORRUPT, AWAY = 8, 9
"""Partitions that can not be read, or have no leader: they spoil what is asked with them."""


class Brokers:
    """Each partition begins at 10 and has a record at 12."""

    def __init__(self, _: object = None) -> None:
        """Stands for all connections."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is kept."""

    async def first(self, places: Iterable[Place]) -> dict[Place, int]:
        """Where they begin."""
        return dict.fromkeys(places, 10)

    async def hold(self, spans: Mapping[Place, tuple[int, int]]) -> dict[Place, bool]:
        """As `Tails`."""
        partitions = {place.partition for place in spans}
        if CORRUPT in partitions:
            raise CorruptLog("t.decisions", "a record whose checksum is wrong")
        if AWAY in partitions:
            raise LogUnavailable("expected an answer, found none")
        return {place: start <= 12 < end for place, (start, end) in spans.items()}


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch) -> TopicStanding:
    """Of ten partitions."""
    monkeypatch.setattr(module, "Tails", Brokers)
    settings = KafkaSettings(bootstrap=("localhost:1",))
    brokers: Any = Brokers()
    return TopicStanding(settings, "t.decisions", 10, brokers, brokers)


async def test_what_is_not_there_any_more_waits_for_nobody(standing: TopicStanding) -> None:
    """Nothing committed counts from the beginning, a committed offset before it as well."""
    spans = {0: (None, 10), 1: (3, 10), 2: (None, 13), 3: (3, 12), 4: (13, 15)}

    assert await standing.waits(spans) == {0: False, 1: False, 2: True, 3: False, 4: False}


async def test_one_that_can_not_be_asked_spoils_no_other(standing: TopicStanding) -> None:
    """A record that can not be read is one; of a partition without a leader nothing is known."""
    spans = {0: (12, 14), CORRUPT: (12, 14), AWAY: (12, 14), 1: (13, 14)}

    assert await standing.waits(spans) == {0: True, CORRUPT: True, 1: False}
