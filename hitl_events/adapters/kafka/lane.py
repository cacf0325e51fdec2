"""Holds a topic back where a record comes whose writer's schema is not known yet. Knows no client.

Order is kept: what comes after that record waits with it. Nothing that waits is settled, so its
offset is not committed either, and whoever has the partition next reads it again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from hitl_events.adapters.inbound.confluent import HOLD_S, WriterSchemas
from hitl_events.errors import RegistryUnavailable
from hitl_events.ports import InboundRecord

TELL_S = 2.0
"""A registry that answers within it is not worth a line in the log."""
PIECE_RECORDS = 512
"""How many of those that wait are asked for at a time: as many as the runner takes in one turn."""

Tell = Callable[[RegistryUnavailable | None], None]
"""Told that records wait, and why; None once they go on."""


class Lane:
    """The way of one topic's records into the intake: those that wait, oldest first."""

    def __init__(self, schemas: WriterSchemas, tell: Tell) -> None:
        self._schemas = schemas
        self._tell = tell
        self._waiting: deque[InboundRecord] = deque()
        self._news = asyncio.Event()

    @property
    def is_held(self) -> bool:
        """True while records wait here."""
        return bool(self._waiting)

    def lets_pass(self, record: InboundRecord) -> bool:
        """True if it can be read now; else it waits here, and comes out of `known`."""
        if not self._waiting and not self._schemas.missing((record.value,)):
            return True
        self._waiting.append(record)
        self._news.set()
        return False

    async def known(self) -> Sequence[InboundRecord]:
        """The next that can be read, in order, once there are any.

        `RegistryUnavailable` where the registry gave no answer for `HOLD_S`.
        """
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        await self._ask([record.value for record in islice(self._waiting, PIECE_RECORDS)])
        found: list[InboundRecord] = []
        while self._waiting and not self._schemas.missing((self._waiting[0].value,)):
            found.append(self._waiting.popleft())
        return found

    async def _ask(self, values: Sequence[bytes]) -> None:
        try:
            await self._schemas.ready(values, within_s=TELL_S)
        except RegistryUnavailable as error:
            self._tell(error)
            await self._schemas.ready(values, within_s=HOLD_S - TELL_S)
            self._tell(None)
