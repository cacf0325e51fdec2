"""The one writer of a partition: whole transactions, and an end that is known or said not to be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from typing import Any

from aiokafka.structs import TopicPartition

from hitl_events.adapters.kafka.batches import Batches
from hitl_events.adapters.kafka.bounded import START_S, STOP_S, TRANSACTION_S, Bounded
from hitl_events.adapters.kafka.clients import new_producer
from hitl_events.adapters.kafka.coordinator import ended_in_commit
from hitl_events.adapters.kafka.dropping import (
    drop_producer,
    hear_how_it_ends,
    hear_what_is_left,
    let_offsets_be,
)
from hitl_events.adapters.kafka.ends import Ends
from hitl_events.adapters.kafka.metadata import know
from hitl_events.adapters.kafka.records import Outgoing, Place
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.trouble import Doing
from hitl_events.domain.values import value
from hitl_events.errors import (
    AccessDenied,
    CorruptLog,
    Fenced,
    HitlError,
    LogUnavailable,
    OutcomeUnknown,
)

COMMIT_SLOW_S = 1.0
"""A commit that took longer may have been sent twice; a late second one could commit the beginning
of the next transaction of the same producer."""
_CLOSING_ROUNDS = 5
_SETTLE_S = 0.5
_LOOK_AGAIN_S = 0.02
"""Markers are written a few ms after the end of a transaction is acknowledged."""


@value
class Consumed:
    """Input that a transaction settles: the next offset to read at each place, for a group."""

    group: str
    offsets: Mapping[Place, int]


class TransactionalWriter:
    """Writes for one transactional id. `start()` takes it over from whoever had it.

    After any exception but `RecordTooLarge` it is dead: what became of the transaction is not
    known, and another one must be made and the log read anew. `fenced` says that another writer
    took the id over (or our own transaction ran out of time): then the partition must be given up
    first. One transaction at a time.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        transactional_id: str,
        *,
        within_s: float = TRANSACTION_S,
        quick_retry: bool = True,
    ) -> None:
        self.transactional_id = transactional_id
        self.fenced = False
        self._settings = settings
        self._within_s = within_s
        self._quick_retry = quick_retry
        self._bounded = Bounded(settings)
        self._producer: Any = None
        self._dead = False
        self._slow = False
        self._commit_left = False

    @property
    def usable(self) -> bool:
        """Whether it may write another transaction; if not, stop it and make a new one."""
        return self._producer is not None and not self._dead and not self._slow

    async def start(self, places: Sequence[Place] = ()) -> None:
        """Fence the predecessor and end its transaction; then offsets and state may be read.

        Always wins, also for a writer that is itself outdated: start only what is assigned to us.
        `places` are looked up, so that the first transaction finds them.
        """
        assert self._producer is None, "a writer is started once"
        if self._quick_retry:
            _retry_quickly()
        self._producer = new_producer(self._settings, self.transactional_id)
        doing = self._doing("take over")
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.stop)
            undo.push(self._fail)
            await self._bounded.call(self._take_over(), doing, within_s=START_S)
            await know(self._producer.client, self._bounded, places, "WRITE")
            undo.pop_all()

    async def transaction(
        self, records: Sequence[Outgoing], consumed: Consumed | None = None
    ) -> tuple[int, ...]:
        """Write all records and settle the input, or nothing of it; the records' offsets.

        Returns only when it is certain. `Fenced`, `AccessDenied` or `OutcomeUnknown` otherwise.
        """
        self._check_usable()
        batches = Batches(self._producer, records)  # `RecordTooLarge` before anything is sent
        if not records and (consumed is None or not consumed.offsets):
            return ()
        call, doing = self._transact(batches, consumed), self._doing("write to")
        try:
            with ExitStack() as stack:
                stack.push(self._fail)
                return await self._bounded.call(call, doing, within_s=self._within_s)
        except AccessDenied:
            raise
        except LogUnavailable as error:
            raise OutcomeUnknown(f"{error} (whether it was recorded is not known)") from error

    async def close_dangling(
        self, mine: Sequence[Place], ends: Ends, shared: Sequence[Place] = ()
    ) -> int:
        """End what the last transaction of this id left open; how many times that was needed.

        To be called after `start()`, before anything is read. A broker that is killed may call a
        transaction complete without having written its markers: its records stay open, and the
        next marker of this producer's id decides over them. So one is sent that says what the
        coordinator had decided. In `mine` nobody else writes: `CorruptLog` if one of them stays
        open. In `shared` what is open may be somebody else's, and is left after one try.
        """
        for tries in range(_CLOSING_ROUNDS):
            open_ = await _open_at([*mine, *(shared if tries == 0 else ())], ends)
            if not open_:
                return tries
            await self._end_at(open_)
        if not (open_ := await _open_at(mine, ends)):
            return _CLOSING_ROUNDS
        raise CorruptLog(
            ", ".join(map(str, open_)),
            f"a transaction that stays open after {_CLOSING_ROUNDS} markers: another producer "
            f"writes there",
        )

    async def stop(self) -> None:
        """Close it in bounded time, whatever state it or the broker is in. Never raises."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        clean = not self._dead
        self._dead = True
        try:
            if clean:
                with suppress(HitlError):
                    doing = self._doing("stop")
                    await self._bounded.call(producer.stop(), doing, within_s=STOP_S)
        finally:  # also of who is cancelled amid that
            await drop_producer(producer, within_s=STOP_S)

    async def _transact(self, batches: Batches, consumed: Consumed | None) -> tuple[int, ...]:
        producer = self._producer
        self._commit_left = False
        await producer.begin_transaction()
        hear_how_it_ends(producer)
        try:
            async with asyncio.TaskGroup() as group:
                written = group.create_task(batches.written())
                if consumed is not None and consumed.offsets:
                    group.create_task(self._settle(consumed))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # one failure is all, and its kind is what matters
        # Only now: a commit goes through although a record that nobody waited for was refused.
        begun_s = time.monotonic()
        await producer.commit_transaction()
        self._slow = time.monotonic() - begun_s > COMMIT_SLOW_S
        return written.result()

    async def _settle(self, consumed: Consumed) -> None:
        offsets = {TopicPartition(*at): next_ for at, next_ in consumed.offsets.items()}
        producer = self._producer
        try:
            await producer.send_offsets_to_transaction(offsets, consumed.group)
        except asyncio.CancelledError:  # the records failed first, or the time is over
            let_offsets_be(producer)
            raise

    async def _end_at(self, places: Sequence[Place]) -> None:
        self._check_usable()
        doing = self._doing("end what is open of")
        with ExitStack() as stack:
            stack.push(self._fail)
            await self._bounded.call(self._mark(places), doing, within_s=self._within_s)

    async def _mark(self, places: Sequence[Place]) -> None:
        """A transaction without records: nothing but its markers."""
        producer = self._producer
        await producer.begin_transaction()
        for place in places:
            producer._txn_manager.maybe_add_partition_to_txn(TopicPartition(*place))  # noqa: SLF001 - no public way without a record
        end = producer.commit_transaction if self._commit_left else producer.abort_transaction
        await end()

    async def _take_over(self) -> None:
        client = self._producer.client
        await client.bootstrap()
        self._commit_left = await ended_in_commit(client, self.transactional_id)
        await self._producer.start()
        hear_what_is_left(self._producer)

    def _check_usable(self) -> None:
        if self.usable:
            return
        message = f"expected a fresh writer of {self.transactional_id}, found one that "
        if self.fenced:
            raise Fenced(f"{message}was fenced: give the partition up and join the group again")
        raise LogUnavailable(f"{message}failed, is slow or was stopped: take the partition again")

    def _fail(self, _: object, error: BaseException | None, __: object) -> None:
        """At the end of a block: whatever ended it early ends us."""
        if error is not None:
            self._dead = True
            self.fenced = self.fenced or isinstance(error, Fenced)

    def _doing(self, verb: str) -> Doing:
        return Doing(
            what=f"{verb} {self.transactional_id}", about=self.transactional_id, operation="WRITE"
        )


async def _open_at(places: Sequence[Place], ends: Ends) -> list[Place]:
    """Where a transaction stays open, though its markers had time to come."""
    until_s = time.monotonic() + _SETTLE_S
    while True:
        stable, high = await ends.stable(places), await ends.high(places)
        open_ = [place for place in places if stable[place] < high[place]]
        if not open_ or time.monotonic() > until_s:
            return open_
        await asyncio.sleep(_LOOK_AGAIN_S)


def _retry_quickly() -> None:
    """Wait 1 ms, not 20, where the broker still ends the transaction before: p99 16 ms, not 110."""
    from aiokafka.producer import sender  # noqa: PLC0415 - a private touch, only if asked for

    sender.BACKOFF_OVERRIDE = 0.001  # a constant of the module; without it all is right, but slower
