"""Keeps one assigned partition ours, and served, through any trouble. Knows no broker.

After trouble everything is made anew: the outcome of the last batch is unknown, only the log knows.
Before that the group has to confirm that the partition is ours: a process that lost it would fence
the one that has it now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from hitl_events.errors import CorruptLog, Fenced, HitlError, LogUnavailable, RegistryUnavailable
from hitl_events.ports import Clock

BACKOFF_S = 0.25
"""Pause between two tries: a takeover takes 0.2 s."""

GIVE_UP_S = 120.0
"""A partition that could not be had for so long ends the process, so that a supervisor sees it.
A broker that is away for under a minute must end none."""

PROGRESS_S = 30.0
"""A takeover that went on for so long has read or written something: where a broker or a database
is away, the first call fails within 10 s. So a long one that fails counts as had."""


class Driving(Protocol):
    """A partition that was taken over, and what drives it."""

    @property
    def gates(self) -> int | None:
        """How many gates were open when it was taken over; None where nobody counts them."""
        ...

    async def serve(self) -> None:
        """Until `stop`; a `HitlError` is what ended it before."""
        ...

    def stop(self) -> None:
        """End after the current turn, and what can end of its steps."""
        ...


class Watcher(Protocol):
    """Who is told how the partitions fare."""

    def taken(self, partition: int, restore_s: float, gates: int | None) -> None:
        """It is ours and served; taking it over took that long, and so many gates are open."""
        ...

    def lost(self, partition: int, error: HitlError | None) -> None:
        """It is not served any more: it was given back (None), or trouble came."""
        ...

    def held(self, partition: int, topic: str, error: HitlError | None) -> None:
        """Records of that topic of it wait, because of the error; None: they go on."""
        ...


TakeOver = Callable[[int], AbstractAsyncContextManager[Driving]]
Confirm = Callable[[int], Awaitable[None]]


class Keeper:
    """One partition from its assignment to its revocation."""

    def __init__(
        self,
        number: int,
        take_over: TakeOver,
        confirm: Confirm,
        watcher: Watcher,
        clock: Clock,
        *,
        stands_for: tuple[type[HitlError], ...] = (CorruptLog,),
    ) -> None:
        """`stands_for`: errors at which it stands still, loudly, while its neighbours go on."""
        self.number = number
        self._take_over = take_over
        self._confirm = confirm
        self._watcher = watcher
        self._clock = clock
        self._stands_for = stands_for
        self._stopped = asyncio.Event()
        self._driving: Driving | None = None
        self.trouble: HitlError | None = None
        """Why it is not served, if it was or could be."""

    @property
    def is_ready(self) -> bool:
        """True while it is served."""
        return self._driving is not None

    def stop(self) -> None:
        """End `keep` in an orderly way where it is served; where it is not, cancel it too."""
        self._stopped.set()
        if self._driving is not None:
            self._driving.stop()

    async def keep(self) -> None:
        """Until `stop`; raises what this process can not mend."""
        since_s = self._clock.monotonic_s()
        while not self._stopped.is_set():
            began_s = self._clock.monotonic_s()
            try:
                await self._serve()
            except self._stands_for as error:
                self._lose(error)
                await self._stopped.wait()
            except (Fenced, LogUnavailable, RegistryUnavailable) as error:
                now_s = self._clock.monotonic_s()
                if self._driving is not None or now_s - began_s > PROGRESS_S:
                    since_s = now_s
                self._lose(error)
                await self._until_confirmed(since_s, error)
            except asyncio.CancelledError:  # it did not end in its time: it goes all the same
                if self._driving is not None:
                    self._lose(None)
                raise
            finally:
                self._driving = None

    async def _serve(self) -> None:
        began_s = self._clock.monotonic_s()
        async with self._take_over(self.number) as driving:
            self._driving, self.trouble = driving, None
            restore_s = self._clock.monotonic_s() - began_s
            self._watcher.taken(self.number, restore_s, driving.gates)
            await driving.serve()
        self._lose(None)

    def _lose(self, error: HitlError | None) -> None:
        self._driving, self.trouble = None, error
        self._watcher.lost(self.number, error)

    async def _until_confirmed(self, since_s: float, cause: HitlError) -> None:
        """Until the group says, after the failure, that the partition is ours; or until `stop`."""
        while not await self._stopped_within(BACKOFF_S):
            if self._clock.monotonic_s() - since_s > GIVE_UP_S:
                raise cause
            try:
                await self._confirm(self.number)
            except (Fenced, LogUnavailable):
                continue
            return

    async def _stopped_within(self, length_s: float) -> bool:
        try:
            async with asyncio.timeout(length_s):
                await self._stopped.wait()
        except TimeoutError:
            return False
        return True
