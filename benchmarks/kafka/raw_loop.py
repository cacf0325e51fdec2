"""The limit: what aiokafka does here with no gate around it. A process of its own.

It reads decisions, writes three records of 400 B for each, and commits them and the offsets in one
transaction per batch and partition. It says `ready`, begins at the first line of its input, and
ends with its input.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiokafka
from aiokafka.producer import sender
from aiokafka.structs import TopicPartition

RECORDS_PER_DECISION = 3
BATCH_BYTES_MAX = 1_000_000
FETCH_MS = 500

Write = Callable[[Any, TopicPartition, Sequence[Any]], Awaitable[None]]


async def main(asked: argparse.Namespace) -> None:
    """One task per partition, each with its own consumer and producer, as an owner has them."""
    # The one private touch that pays: else a produce that the broker refuses while it finishes
    # the last transaction waits 20 ms.
    sender.BACKOFF_OVERRIDE = 0.001
    partitions = [Partition(asked, number) for number in range(asked.partitions)]
    for partition in partitions:
        await partition.start()
    told = await _input()
    print("ready", flush=True)
    await told.readline()
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(partition.run()) for partition in partitions]
            await told.readline()
            for task in tasks:
                task.cancel()
    finally:
        for partition in partitions:
            await partition.stop()


class Partition:
    """One inbound partition and the event partition of the same number."""

    def __init__(self, asked: argparse.Namespace, number: int) -> None:
        self._source = TopicPartition(asked.inbound, number)
        self._target = TopicPartition(asked.events, number)
        self._group = f"{asked.inbound}-group"
        self._batch_records = asked.batch
        self._write: Write = _by_batch if asked.send_batch else _by_record
        self._consumer: Any = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=asked.bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=FETCH_MS,
            fetch_min_bytes=1,
        )
        self._producer: Any = aiokafka.AIOKafkaProducer(
            bootstrap_servers=asked.bootstrap,
            transactional_id=f"{asked.events}.{number}",
            acks="all",
            enable_idempotence=True,
            transaction_timeout_ms=60_000,
            request_timeout_ms=5_000,
            retry_backoff_ms=2,
            linger_ms=0,
            max_batch_size=BATCH_BYTES_MAX,
        )

    async def start(self) -> None:
        """Fence, then read."""
        await self._producer.start()
        await self._consumer.start()
        self._consumer.assign([self._source])
        await self._consumer.seek_to_beginning(self._source)

    async def run(self) -> None:
        """A transaction for whatever is there."""
        while True:
            found = await self._consumer.getmany(
                timeout_ms=FETCH_MS, max_records=self._batch_records
            )
            records = found.get(self._source)
            if records:
                await self._producer.begin_transaction()
                await self._write(self._producer, self._target, records)
                offsets = {self._source: records[-1].offset + 1}
                await self._producer.send_offsets_to_transaction(offsets, self._group)
                await self._producer.commit_transaction()

    async def stop(self) -> None:
        """Both clients."""
        await self._consumer.stop()
        await self._producer.stop()


async def _by_record(producer: Any, target: TopicPartition, records: Sequence[Any]) -> None:
    futures = [
        await producer.send(target.topic, record.value, record.key, partition=target.partition)
        for record in records
        for _ in range(RECORDS_PER_DECISION)
    ]
    for future in futures:
        await future


async def _by_batch(producer: Any, target: TopicPartition, records: Sequence[Any]) -> None:
    futures: list[Any] = []
    batch = producer.create_batch()
    for record in records:
        for _ in range(RECORDS_PER_DECISION):
            if batch.append(key=record.key, value=record.value, timestamp=None) is None:
                futures.append(await _sent(producer, batch, target))
                batch = producer.create_batch()
                batch.append(key=record.key, value=record.value, timestamp=None)
    futures.append(await _sent(producer, batch, target))
    for future in futures:
        await future


async def _sent(producer: Any, batch: Any, target: TopicPartition) -> Any:
    return await producer.send_batch(batch, target.topic, partition=target.partition)


async def _input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("bootstrap")
    parser.add_argument("inbound")
    parser.add_argument("events")
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True, help="decisions in a transaction")
    parser.add_argument("--send-batch", action="store_true", help="batches made by us")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(_arguments()))
