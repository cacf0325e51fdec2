"""What is connected while a block is open, and let go of in any case."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AsyncExitStack
from typing import Self


class Opening(ABC):
    """An asynchronous context: connects, and stops also where that failed or was cut."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.stop)
            await self._connect()
            undo.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @abstractmethod
    async def stop(self) -> None:
        """Close it in bounded time; never raises."""

    @abstractmethod
    async def _connect(self) -> None: ...
