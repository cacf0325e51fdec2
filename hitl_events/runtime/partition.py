"""Being the owner, or not: serves while the lock is ours, asks through the intake otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, Protocol

from hitl_events.domain.evolve import fold
from hitl_events.domain.refusals import Refused
from hitl_events.domain.state import status
from hitl_events.domain.values import RunId
from hitl_events.engine.inputs import Submission
from hitl_events.errors import Fenced, HitlError, LogUnavailable
from hitl_events.ports import Codec
from hitl_events.runtime.runner import CLOSED, PartitionLog, Runner
from hitl_events.runtime.waiters import Settled

OWN_POLL_S = 0.02
"""How often a process that waits for the ownership tries the lock (a try costs 3 us)."""

RECOVER_S = 0.5
"""Pause after the log could not be written, before it is taken up again."""

_ELSEWHERE = (
    "expected a call on the event loop that opened the runtime, found one on another; "
    "from other threads use asyncio.run_coroutine_threadsafe"
)


class OwnedLog(PartitionLog, Protocol):
    """A store with one owner at a time."""

    def try_own(self) -> bool:
        """Become the owner unless another is."""
        ...

    def release(self) -> None:
        """Let others own it."""
        ...


class Partition:
    """Commands go to the owner, whoever that is; `keep` holds the ownership as long as it can."""

    def __init__(self, log: OwnedLog, codec: Codec, make_runner: Callable[[], Runner]) -> None:
        self._log = log
        self._codec = codec
        self._make_runner = make_runner
        self._runner: Runner | None = None
        self._closing = asyncio.Event()
        self._broken: HitlError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        if log.try_own():
            self._runner = make_runner()

    def keep(self) -> Coroutine[Any, Any, None]:
        """Serve while the ownership can be had; try for it otherwise. Ends at `close`.

        From this call on, so before it is awaited, all else is for the event loop that runs now.
        """
        self._loop = asyncio.get_running_loop()
        return self._keep()

    async def _keep(self) -> None:
        while not self._closing.is_set():
            try:
                if self._runner is None and self._log.try_own():
                    self._runner = self._make_runner()
                if self._runner is None:
                    await self._pause(OWN_POLL_S)
                    continue
                await self._runner.serve()
            except (LogUnavailable, Fenced):
                self._let_go()
                await self._pause(RECOVER_S)
            except HitlError as error:
                self._broken = error
                self._closing.set()
            finally:
                self._let_go()

    def _let_go(self) -> None:
        self._runner = None
        self._log.release()

    def close(self) -> None:
        """End `keep`."""
        self._closing.set()
        if self._runner is not None:
            self._runner.stop()

    async def _pause(self, length_s: float) -> None:
        try:
            async with asyncio.timeout(length_s):
                await self._closing.wait()
        except TimeoutError:
            return

    def _check_open(self) -> None:
        if self._broken is not None:
            raise self._broken
        if self._closing.is_set():
            raise LogUnavailable(CLOSED)
        if self._loop not in (None, asyncio.get_running_loop()):
            raise HitlError(_ELSEWHERE)  # what is waited for there is never heard of here

    def ask(self, submission: Submission) -> Awaitable[Settled]:
        """What becomes of a command, and its run's events once it pauses, ends or blocks."""
        self._check_open()
        if self._runner is not None:
            return self._runner.submit(submission)
        return self._ask_owner(submission)

    async def _ask_owner(self, submission: Submission) -> Settled:
        offset = await self._log.put(submission.record())
        while (answer := await self._log.answer(offset)) is None:
            self._check_open()
            await self._pause(OWN_POLL_S)
        if isinstance(submission.command, Refused):
            # its record may not even hold what was wrong with the call
            refused = submission.command
            answer = replace(answer, reason=refused.reason, message=refused.message)
        if answer.reason is None and answer.run_id is not None:
            await self._rest(answer.run_id)
        return answer, None

    async def _rest(self, run_id: RunId) -> None:
        """Wait for a run that another process may drive, or we do once it has gone."""
        while True:
            if self._runner is not None:
                await self._runner.wake(run_id)
                return
            values = (await self._log.load([run_id])).get(run_id, ())
            run = fold(self._codec.decode(value) for value in values)
            if run is not None and status(run) != "running":
                return
            self._check_open()
            await self._pause(OWN_POLL_S)
