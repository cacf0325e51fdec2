"""What a group has committed, where the answers of its coordinator are made by hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import aiokafka.errors as driver
import pytest
from aiokafka.protocol import commit

from hitl_events.adapters.kafka.committed import committed_offsets
from hitl_events.adapters.kafka.records import Place

LOADING, ELSEWHERE, DENIED, UNKNOWN_TOPIC = 14, 16, 30, 3
PLACES = [Place("t.commands", 0), Place("t.decisions", 0)]
BOTH = [("t.commands", [(0, 7, "", 0)]), ("t.decisions", [(0, -1, "", 0)])]


@dataclass
class Coordinator:
    """Gives these answers, one after the other; `dead` counts how often it is looked for anew."""

    answers: list[tuple[list[Any], int]]
    group_id: str = "t-engine"
    dead: int = 0
    asked: list[Any] = field(default_factory=list)

    async def ensure_coordinator_known(self) -> None:
        """It is."""

    def coordinator_dead(self) -> None:
        """It is another one."""
        self.dead += 1

    async def _send_req(self, request: Any) -> Any:
        self.asked.append(request)
        topics, error_code = self.answers.pop(0)
        return commit.OffsetFetchResponse_v3(
            throttle_time_ms=0, topics=topics, error_code=error_code
        )


async def _asked(coordinator: Coordinator) -> dict[Place, int]:
    async with asyncio.timeout(10):
        return await committed_offsets(coordinator, PLACES)


async def test_a_coordinator_that_loads_is_asked_again() -> None:
    """Its answer names no partition, which does not mean that nothing was committed."""
    coordinator = Coordinator([([], LOADING), ([], LOADING), (BOTH, 0)])

    assert await _asked(coordinator) == {PLACES[0]: 7}
    assert len(coordinator.asked) == 3


async def test_a_coordinator_that_moved_is_looked_for() -> None:
    """The one that was asked is none any more."""
    coordinator = Coordinator([([], ELSEWHERE), (BOTH, 0)])

    assert await _asked(coordinator) == {PLACES[0]: 7}
    assert coordinator.dead == 1


async def test_a_topic_that_the_broker_does_not_know_yet_is_asked_again() -> None:
    """A broker that has just begun knows its topics a moment later."""
    unknown = [("t.commands", [(0, -1, "", UNKNOWN_TOPIC)]), BOTH[1]]
    coordinator = Coordinator([(unknown, 0), (BOTH, 0)])

    assert await _asked(coordinator) == {PLACES[0]: 7}


async def test_a_group_that_may_not_be_read_is_named() -> None:
    """A missing right is no matter of asking again."""
    with pytest.raises(driver.GroupAuthorizationFailedError, match="t-engine"):
        await _asked(Coordinator([([], DENIED)]))
