"""How far partitions are in the read model, for who waits until it shows what was just recorded."""

from __future__ import annotations

import asyncio

from hitl_events.errors import LogUnavailable

REACH_S = 10.0


class Progress:
    """Told by whoever folds, on one event loop; nobody who waits looks again and again."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self._waiting: set[asyncio.Event] = set()

    def moved(self, partition: int, next_offset: int) -> None:
        """All of the partition before that offset is in the read model."""
        self._next[partition] = next_offset
        for waiting in self._waiting:
            waiting.set()

    def lost(self, partition: int) -> None:
        """Somebody else folds it from now on."""
        self._next.pop(partition, None)

    async def reached(self, partition: int, offset: int, *, within_s: float = REACH_S) -> None:
        """Return once the event at that offset is in the read model.

        `LogUnavailable` if it takes too long, or if the partition is folded elsewhere.
        """
        news = asyncio.Event()
        self._waiting.add(news)
        try:
            async with asyncio.timeout(within_s):
                while self._next.get(partition, 0) <= offset:
                    news.clear()
                    await news.wait()
        except TimeoutError:
            raise LogUnavailable(
                f"expected offset {offset} of partition {partition} in the read model within "
                f"{within_s:g} s, found it at {self._next.get(partition, 'no offset here')}: what "
                f"was recorded is safe, ask again"
            ) from None
        finally:
            self._waiting.discard(news)
