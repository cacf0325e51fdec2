"""Tries at start what will be needed, without a trace in the log, so that a missing right is told.

The broker looks at rights first: a request that can do nothing is refused for the right that is
missing, or else for being what it is. Asking for the rights themselves would need more of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import aiokafka.errors as driver
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import AddPartitionsToTxnRequest

from hitl_events.adapters.kafka.acls import Acl
from hitl_events.adapters.kafka.bounded import CALL_S, START_S, STOP_S, Bounded
from hitl_events.adapters.kafka.clients import connection
from hitl_events.adapters.kafka.metadata import know
from hitl_events.adapters.kafka.records import Place
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.trouble import Doing
from hitl_events.errors import AccessDenied, HitlError

_NOBODY = "access-check"
_NO_PRODUCER = (-1, -1)
_DENIED = {
    "topic": driver.TopicAuthorizationFailedError,
    "group": driver.GroupAuthorizationFailedError,
    "transactional id": driver.TransactionalIdAuthorizationFailed,
}
"""The refusal that counts: one for a topic that is not there is none of the id's."""


async def check_access(settings: KafkaSettings, needed: Iterable[Acl]) -> None:
    """`AccessDenied` for the first right of these that is missing, `UnknownTopic` for a topic.

    READ and WRITE are tried; CREATE and DESCRIBE_CONFIGS show themselves where they are used.
    """
    client = AIOKafkaClient(**connection(settings))
    bounded = Bounded(settings)
    try:
        doing = Doing(what="connect", about="cluster")
        await bounded.call(client.bootstrap(), doing, within_s=START_S)
        for acl in needed:
            for operation in acl.operations:
                await _try(client, bounded, acl, operation)
    finally:
        await _closed(client, bounded)


async def _closed(client: Any, bounded: Bounded) -> None:
    try:
        await bounded.call(
            client.close(), Doing(what="disconnect", about="cluster"), within_s=STOP_S
        )
    except HitlError:
        return  # what was found out is worth more than that


async def _try(client: Any, bounded: Bounded, acl: Acl, operation: str) -> None:
    if acl.resource == "topic":
        await know(client, bounded, [Place(acl.name, 0)], operation)
    question = _question(acl, operation)
    if question is None:
        return
    node = client.get_random_node()
    what = f"try {operation} on {acl.resource} {acl.name}"
    doing = Doing(what=what, about=acl.name, operation=operation)
    answer = await bounded.call(client.send(node, question), doing, within_s=CALL_S)
    if driver.for_code(_code(answer)) is _DENIED[acl.resource]:
        name = f"{acl.name}*" if acl.prefixed else acl.name
        raise AccessDenied(acl.resource, name, operation)


def _code(answer: Any) -> int:
    """The error code of an answer: about one partition of one topic, or about all of it."""
    topics = getattr(answer, "topics", None) or getattr(answer, "errors", None)
    if not topics:
        return int(answer.error_code)
    (_, (place,)), *_ = topics
    return int(place[1])


def _question(acl: Acl, operation: str) -> Any:
    """A request that needs the right and can change nothing."""
    match acl.resource, operation:
        case "topic", "READ":
            return FetchRequest(0, 0, 1, 1, [(acl.name, [(0, 0, 1)])])
        case "topic", "WRITE":
            # no records at all: refused as invalid
            return ProduceRequest(None, -1, 1000, [(acl.name, [(0, b"")])])
        case "group", "READ":
            return HeartbeatRequest(acl.name, -1, _NOBODY)
        case "transactional id", "WRITE":
            id_ = f"{acl.name}{_NOBODY}" if acl.prefixed else acl.name
            return AddPartitionsToTxnRequest(id_, *_NO_PRODUCER, [(_NOBODY, [0])])
        case _:
            return None
