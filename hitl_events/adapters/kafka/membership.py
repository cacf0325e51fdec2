"""Proof that a consumer is a member of its group as that is now, which moves nothing."""

from __future__ import annotations

from typing import Any

import aiokafka.errors as driver
from aiokafka.protocol.group import HeartbeatRequest


async def prove_membership(coordinator: Any) -> None:
    """Ask the group whether it knows the member, in the generation that it believes in.

    The answer of the driver's own heartbeat may be older than what is in doubt. Raises the driver's
    error where the group says no, deals its partitions out anew, or can not tell; whoever is told
    so by the driver's heartbeat joins again, that is not done here. `coordinator` is that of a
    consumer that was started.
    """
    await coordinator.ensure_coordinator_known()
    request = HeartbeatRequest(coordinator.group_id, coordinator.generation, coordinator.member_id)
    answer = await coordinator._send_req(request)  # noqa: SLF001 - the driver's own heartbeat gives no answer
    if answer.error_code:
        raise driver.for_code(answer.error_code)(coordinator.group_id)
