"""What a group has committed, asked so that "I can not tell yet" is not taken for "nothing".

An answer about offsets has an error for the whole group, and names no partition then: while its
coordinator reads what was committed, some seconds after a broker came back, or is another broker by
now. The driver (0.14) does not look at that error. Whoever believes it begins anew, at the first
record of the topic.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import aiokafka.errors as driver
from aiokafka.protocol.commit import OffsetFetchRequest

from hitl_events.adapters.kafka.records import Place

_AGAIN_S = 0.05
_NONE = -1


async def committed_offsets(coordinator: Any, places: Iterable[Place]) -> dict[Place, int]:
    """Offsets by partition, without those of which the group has committed nothing.

    `coordinator` is that of a consumer that was started. The caller bounds it: it asks until
    somebody can tell.
    """
    topics: defaultdict[str, list[int]] = defaultdict(list)
    for place in places:
        topics[place.topic].append(place.partition)
    while True:
        try:
            await coordinator.ensure_coordinator_known()
            request = OffsetFetchRequest(coordinator.group_id, list(topics.items()))
            answer = await coordinator._send_req(request)  # noqa: SLF001 - the driver's own way of asking throws the error away
            return _read(answer, coordinator.group_id)
        except driver.NotCoordinatorForGroupError:
            coordinator.coordinator_dead()
        except driver.KafkaError as error:
            if not error.retriable:
                raise
        await asyncio.sleep(_AGAIN_S)


def _read(answer: Any, group: str) -> dict[Place, int]:
    _check(getattr(answer, "error_code", 0), group)  # version 1 has none
    found: dict[Place, int] = {}
    for topic, partitions in answer.topics:
        for partition, offset, _, error_code in partitions:
            _check(error_code, topic)
            if offset != _NONE:
                found[Place(topic, partition)] = offset
    return found


def _check(error_code: int, about: str) -> None:
    if error_code:
        raise driver.for_code(error_code)(about)
