"""Takes a client of the driver down that may be fenced, half started, or without its broker.

The driver's own `stop()` waits for what cannot be sent any more, leaves tasks behind if that wait
is bounded, and leaves errors for the loop to complain about. This module knows the inside of the
driver's producer (0.14, as it is pinned) for that one purpose.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any

from hitl_events.adapters.kafka.trouble import KNOWN


async def drop_producer(producer: Any, *, within_s: float) -> None:
    """Nothing more is sent, all is closed, no task is left. Also after `stop()`.

    Who is cancelled here leaves no connection all the same.
    """
    producer._closed = True  # noqa: SLF001 - else its destructor warns
    task = producer._sender.sender_task  # noqa: SLF001 - nobody else can end it
    try:
        if task is not None:
            await _ended(task, within_s)
        await _left_ended([producer._sender], within_s)  # noqa: SLF001 - as above
        await _bounded(producer.client.close(), within_s)
    finally:
        _cut(producer.client)
        _hush(producer)


async def drop_consumer(consumer: Any, *, within_s: float) -> None:
    """As far as the driver's `stop()` gets in its time; the rest is ended, and then closed.

    Who is cancelled here leaves no connection all the same.
    """
    client = consumer._client  # noqa: SLF001 - stop() may not get there
    try:
        await _bounded(consumer.stop(), within_s)
        # what reads on opens new connections, which nobody would close
        owners = [consumer._fetcher, consumer._coordinator]  # noqa: SLF001 - as above
        await _left_ended([each for each in owners if each is not None], within_s)
        await _bounded(client.close(), within_s)
    finally:
        _cut(client)


def close_first_connection(_: object, error: BaseException | None, __: object) -> None:
    """At the end of a block in which a client may be cut amid its first question to the cluster.

    Until that is answered no client knows the connection, only the frame that has opened it.
    """
    trace = None if error is None else error.__traceback__
    while trace is not None:
        opened = trace.tb_frame.f_locals.get("bootstrap_conn")
        if opened is not None:
            opened.close()
        trace = trace.tb_next


def let_offsets_be(producer: Any) -> None:
    """Nobody waits for the offsets that are on their way: an error of theirs is no news."""
    for _, _, waiter in producer._txn_manager._pending_txn_offsets:  # noqa: SLF001 - see the module's docstring
        waiter.add_done_callback(_hear)


def hear_how_it_ends(producer: Any) -> None:
    """Of the transaction that was begun: the driver forgets a first error for a second one."""
    producer._txn_manager._transaction_waiter.add_done_callback(_hear)  # noqa: SLF001 - see the module's docstring


def hear_what_is_left(producer: Any) -> None:
    """When its sender ends amid requests, their errors are no news: it fails all of them itself.

    One that would be tried again then finds its batch gone, and says so to nobody.
    """
    sender = producer._sender  # noqa: SLF001 - see the module's docstring

    def ended(_: asyncio.Task[None]) -> None:
        for task in asyncio.all_tasks():
            if _is_of(task, [sender]):
                task.add_done_callback(_hear)

    sender.sender_task.add_done_callback(ended)


async def _ended(task: asyncio.Task[Any], within_s: float) -> None:
    """The first cancellation makes the sender wait for its own tasks, a second one ends those."""
    for _ in range(2):
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=within_s / 2)
    if task.done() and not task.cancelled():
        task.exception()


async def _left_ended(owners: Sequence[Any], within_s: float) -> None:
    """What the driver's parts leave to nobody: a sender that was fenced ends amid its requests."""
    left = [task for task in asyncio.all_tasks() if _is_of(task, owners)]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=within_s)
    for task in left:
        if task.done():
            _hear(task)


def _is_of(task: asyncio.Task[Any], owners: Sequence[Any]) -> bool:
    frame = getattr(task.get_coro(), "cr_frame", None)
    return frame is not None and any(frame.f_locals.get("self") is each for each in owners)


async def _bounded(call: Awaitable[Any], within_s: float) -> None:
    """Whatever it raises does not matter any more; our own cancellation does."""
    task = asyncio.ensure_future(call)
    try:
        await asyncio.wait([task], timeout=within_s)
    finally:
        task.cancel()
    with suppress(asyncio.CancelledError, *KNOWN):
        if task.done():
            task.result()


def _cut(client: Any) -> None:
    """What is connected still, as the orderly way was cut or the broker takes nothing any more."""
    for connection in list(client._conns.values()):  # noqa: SLF001 - see the module's docstring
        writer = connection._writer  # noqa: SLF001 - as above
        connection.close()
        if writer is not None:
            writer.transport.abort()  # closing alone waits until all that is on its way was taken


def _hush(producer: Any) -> None:
    """Errors that the driver put into futures for which nobody waits were told by another way."""
    manager = producer._txn_manager  # noqa: SLF001 - see the module's docstring
    waiters = [manager._transaction_waiter]  # noqa: SLF001 - as above
    for batches in producer._message_accumulator._batches.values():  # noqa: SLF001 - as above
        for batch in batches:
            waiters += [batch.future, batch._drain_waiter]  # noqa: SLF001 - as above
    for waiter in waiters:
        if waiter is not None and waiter.done():
            _hear(waiter)


def _hear(waiter: asyncio.Future[Any]) -> None:
    if not waiter.cancelled():
        waiter.exception()
