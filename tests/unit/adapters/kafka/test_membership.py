"""Proof of membership, where the coordinator's answers are made by hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import aiokafka.errors as driver
import pytest
from aiokafka.protocol.group import HeartbeatResponse_v1

from hitl_events.adapters.kafka.membership import prove_membership

NOT_OUR_GENERATION, UNKNOWN_MEMBER, REBALANCE = 22, 25, 27


@dataclass
class Coordinator:
    """Answers with this code, and keeps what it was asked."""

    error_code: int
    group_id: str = "t-engine"
    generation: int = 3
    member_id: str = "me"
    asked: list[Any] = field(default_factory=list)

    async def ensure_coordinator_known(self) -> None:
        """It is."""

    async def _send_req(self, request: Any) -> Any:
        self.asked.append(request)
        return HeartbeatResponse_v1(throttle_time_ms=0, error_code=self.error_code)


async def _proved(coordinator: Coordinator) -> None:
    async with asyncio.timeout(10):
        await prove_membership(coordinator)


async def test_a_member_that_is_known_is_one() -> None:
    """The group is asked for it once, and nothing is looked up or moved."""
    coordinator = Coordinator(0)

    await _proved(coordinator)

    assert len(coordinator.asked) == 1


@pytest.mark.parametrize(
    ("error_code", "error"),
    [
        (NOT_OUR_GENERATION, driver.IllegalGenerationError),
        (UNKNOWN_MEMBER, driver.UnknownMemberIdError),
        (REBALANCE, driver.RebalanceInProgressError),
    ],
)
async def test_a_member_of_before_is_none(error_code: int, error: type[driver.KafkaError]) -> None:
    """Its partitions may be somebody else's by now."""
    with pytest.raises(error, match="t-engine"):
        await _proved(Coordinator(error_code))
