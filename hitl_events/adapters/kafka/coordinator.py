"""What the transaction coordinator last decided about an id, asked before it is taken over.

A single broker that is killed right after it has acknowledged a commit may, when it starts again,
take the partitions for deleted and call the transaction complete without having written its
markers (seen in 2 of 5 tries). Its records then are neither committed nor aborted, and only here it
is known that they were to be committed.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiokafka.errors as driver
from aiokafka.client import CoordinationType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

_AGAIN_S = 0.05
_NOT_FOUND = 105
_COMMITTED = frozenset({"PrepareCommit", "CompleteCommit"})


class _Answer(Response):  # type: ignore[misc]  # the driver has no types
    """DescribeTransactions, version 0 (KIP-664); the driver does not have it."""

    API_KEY = 65  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]  # as the driver itself does
    API_VERSION = 0  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]  # as above
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "states",
            CompactArray(
                ("error_code", Int16),
                ("transactional_id", CompactString("utf-8")),
                ("state", CompactString("utf-8")),
                ("timeout_ms", Int32),
                ("start_time_ms", Int64),
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                (
                    "topics",
                    CompactArray(
                        ("topic", CompactString("utf-8")),
                        ("partitions", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Question(RequestStruct):  # type: ignore[misc]  # the driver has no types
    FLEXIBLE_VERSION = True
    API_KEY = 65
    API_VERSION = 0
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        ("transactional_ids", CompactArray(CompactString("utf-8"))),
        ("tags", TaggedFields),
    )


class _DescribeTransactions(Request[_Question]):  # type: ignore[misc]  # the driver has no types
    API_KEY = 65

    def __init__(self, transactional_id: str) -> None:
        self._id = transactional_id

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class([self._id], {})


async def ended_in_commit(client: Any, transactional_id: str) -> bool:
    """Whether the last transaction of this id was decided to commit (not: was aborted, is open).

    A client that has connected asks; the caller bounds it.
    """
    while True:
        try:
            node = await client.coordinator_lookup(CoordinationType.TRANSACTION, transactional_id)
            answer = await client.send(node, _DescribeTransactions(transactional_id))
        except driver.TransactionalIdAuthorizationFailed:
            raise driver.TransactionalIdAuthorizationFailed(transactional_id) from None
        except driver.IncompatibleBrokerVersion:
            return False
        except driver.KafkaError as error:
            if not error.retriable and not isinstance(error, driver.NodeNotReadyError):
                raise
        else:
            found = answer.states[0]
            kind = driver.for_code(found[0])
            if kind is driver.TransactionalIdAuthorizationFailed:
                raise kind(transactional_id)
            if found[0] in {0, _NOT_FOUND}:
                return found[2] in _COMMITTED
        await asyncio.sleep(_AGAIN_S)
