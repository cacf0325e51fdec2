"""What the driver is left with when nobody waits for it any more."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import ProducerFenced
from aiokafka.producer.transaction_manager import TransactionManager

from hitl_events.adapters.kafka.dropping import (
    drop_consumer,
    drop_producer,
    hear_what_is_left,
)
from hitl_events.adapters.kafka.records import Place
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.writer import Consumed, TransactionalWriter


async def test_an_error_that_comes_too_late_is_no_news() -> None:
    """Offsets that are refused after their transaction was given up trouble the loop no more."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    manager: Any = TransactionManager("id", 60_000)
    manager.set_pid_and_epoch(1, 0)
    manager.begin_transaction()
    writer = TransactionalWriter(KafkaSettings(bootstrap=("nowhere:1",)), "id")

    def send_offsets(offsets: object, group: str) -> asyncio.Future[None]:
        return asyncio.shield(manager.add_offsets_to_txn(offsets, group))

    writer._producer = SimpleNamespace(
        _txn_manager=manager, send_offsets_to_transaction=send_offsets
    )

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await writer._settle(Consumed(group="g", offsets={Place("topic", 0): 1}))
    manager.fatal_error(ProducerFenced())
    manager._transaction_waiter.exception()
    await _turn_of_the_loop()
    gc.collect()

    assert told == []


async def test_a_sender_that_was_fenced_leaves_no_task_behind() -> None:
    """It ends at the first refusal; the batch that it had on its way is ended for it."""
    sender = _FencedSender()
    producer = SimpleNamespace(
        _closed=False,
        _sender=sender,
        client=SimpleNamespace(close=sender.closed, _conns={}),
        _txn_manager=SimpleNamespace(_transaction_waiter=None),
        _message_accumulator=SimpleNamespace(_batches={}),
    )
    await asyncio.wait([sender.sender_task])

    await drop_producer(producer, within_s=20)

    assert sender.on_its_way.cancelled()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_request_that_outlives_its_sender_is_no_news() -> None:
    """The driver fails its batch, so that trying it again finds none: the loop hears nothing."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    sender = _FencedSender()
    hear_what_is_left(SimpleNamespace(_sender=sender))

    await asyncio.wait([sender.sender_task])
    sender.sender_task.exception()
    sender.refused.set()
    await asyncio.wait([sender.on_its_way])
    del sender
    gc.collect()

    assert told == []


async def test_a_consumer_whose_end_takes_too_long_reads_no_more() -> None:
    """Its tasks are ended before its connections are closed: they would open new ones."""
    fetcher = _Fetcher()
    consumer = SimpleNamespace(
        _fetcher=fetcher,
        _coordinator=None,
        _client=SimpleNamespace(close=fetcher.client_closes, _conns={}),
        stop=asyncio.Event().wait,
    )

    await drop_consumer(consumer, within_s=0)

    assert fetcher.fetching.cancelled()
    assert fetcher.was_over == [True]


@pytest.mark.parametrize("cut_in", ["its end", "what comes after it"])
async def test_a_writer_whose_end_is_cut_leaves_no_connection(cut_in: str) -> None:
    """A process that has to go cancels what does not end in its time, wherever that is."""
    connection, waits = _Connection(), asyncio.Event().wait
    writer = TransactionalWriter(KafkaSettings(bootstrap=("nowhere:1",)), "id")
    sender = SimpleNamespace(sender_task=None)
    writer._producer = SimpleNamespace(
        _closed=False,
        _sender=sender,
        client=SimpleNamespace(close=waits, _conns={0: connection}),
        stop=waits if cut_in == "its end" else _nothing,
        _txn_manager=SimpleNamespace(_transaction_waiter=None),
        _message_accumulator=SimpleNamespace(_batches={}),
    )
    stopping = asyncio.create_task(writer.stop())
    await _turn_of_the_loop()
    await _turn_of_the_loop()

    stopping.cancel()
    await asyncio.wait([stopping])

    assert stopping.cancelled()
    assert connection.was == ["closed", "aborted"]


async def test_a_consumer_whose_end_is_cut_leaves_no_connection() -> None:
    """The same of who reads."""
    connection, waits = _Connection(), asyncio.Event().wait
    client = SimpleNamespace(close=waits, _conns={0: connection})
    consumer = SimpleNamespace(_fetcher=None, _coordinator=None, _client=client, stop=waits)
    stopping = asyncio.create_task(drop_consumer(consumer, within_s=20))
    await _turn_of_the_loop()

    stopping.cancel()
    await asyncio.wait([stopping])

    assert connection.was == ["closed", "aborted"]


async def _nothing() -> None:
    """Ends at once."""


class _Connection:
    """Connected, to a broker that takes nothing."""

    def __init__(self) -> None:
        self.was: list[str] = []
        self._writer = SimpleNamespace(transport=SimpleNamespace(abort=self._aborted))

    def close(self) -> None:
        """As the driver does it."""
        self.was.append("closed")

    def _aborted(self) -> None:
        self.was.append("aborted")


async def _turn_of_the_loop() -> None:
    """What was to be called soon has been called."""
    loop = asyncio.get_running_loop()
    turned = loop.create_future()
    loop.call_soon(turned.set_result, None)
    await turned


class _Fetcher:
    """Reads for ever; notes whether it was over when the client closed."""

    def __init__(self) -> None:
        self.was_over: list[bool] = []
        self.fetching = asyncio.create_task(self._fetch())

    async def client_closes(self) -> None:
        """Of a client."""
        self.was_over.append(self.fetching.done())

    async def _fetch(self) -> None:
        await asyncio.Event().wait()


class _FencedSender:
    """As the driver's does it: raises, and forgets its other tasks."""

    def __init__(self) -> None:
        self.refused = asyncio.Event()
        self.on_its_way = asyncio.create_task(self._send())
        self.sender_task = asyncio.create_task(self._run())

    async def closed(self) -> None:
        """Of a client: nothing to close."""

    async def _send(self) -> None:
        await self.refused.wait()
        raise KeyError("a batch that is not pending")

    async def _run(self) -> None:
        raise ProducerFenced
