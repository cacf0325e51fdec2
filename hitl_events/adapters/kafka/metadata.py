"""Whether topics are there and may be seen: asked before they are used, for a clear error."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from hitl_events.adapters.kafka.bounded import Bounded
from hitl_events.adapters.kafka.records import Place
from hitl_events.adapters.kafka.trouble import Doing
from hitl_events.errors import AccessDenied, UnknownTopic

_ASKS = 10
_AGAIN_S = 0.1
"""A topic that was just made is known to every broker within a second."""


async def know(
    client: Any, bounded: Bounded, places: Iterable[Place], operation: str = "DESCRIBE"
) -> None:
    """The client knows these places afterwards; `AccessDenied` or `UnknownTopic` if it cannot.

    Otherwise the driver asks for them again and again until its time is over.
    """
    for topic in sorted({place.topic for place in places}):
        doing = Doing(what=f"find topic {topic}", about=topic, operation=operation)
        await bounded.call(_find(client, topic, operation), doing)
    for place in places:
        held = client.cluster.partitions_for_topic(place.topic) or ()
        if place.partition not in held:
            raise UnknownTopic(place.topic, place.partition)


async def _find(client: Any, topic: str, operation: str) -> None:
    for ask in range(_ASKS):
        if client.cluster.partitions_for_topic(topic) is not None:
            return
        await (client.force_metadata_update() if ask else client.add_topic(topic))
        if topic in client.cluster.unauthorized_topics:
            raise AccessDenied("topic", topic, operation)
        if client.cluster.partitions_for_topic(topic) is None:
            await asyncio.sleep(_AGAIN_S)
    raise UnknownTopic(topic)
