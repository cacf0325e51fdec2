"""The rights that each process needs on the cluster, exactly, as data and as commands."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from hitl_events.adapters.kafka.topics import Topics
from hitl_events.domain.values import value

Resource: TypeAlias = Literal["topic", "group", "transactional id"]
Process: TypeAlias = Literal["engine", "projector", "api", "cli", "publisher", "auditor", "admin"]

PROCESSES: tuple[Process, ...] = (
    "engine",
    "projector",
    "api",
    "cli",
    "publisher",
    "auditor",
    "admin",
)

_FLAGS = {"topic": "--topic", "group": "--group", "transactional id": "--transactional-id"}


@value
class Acl:
    """Operations that are allowed on one resource, or on all whose names begin so (`prefixed`).

    READ and WRITE have DESCRIBE in them.
    """

    resource: Resource
    name: str
    operations: tuple[str, ...]
    prefixed: bool = False


def acls(process: Process, topics: Topics, group: str) -> tuple[Acl, ...]:
    """What one process needs; nothing else has to be allowed to it."""
    match process:
        case "engine":
            return (
                *(_topic(name, "READ", "WRITE") for name in _partitioned(topics)),
                *(_topic(name, "WRITE") for name in (topics.replies, topics.dead_letters)),
                Acl(resource="group", name=group, operations=("READ",)),
                Acl(
                    resource="transactional id",
                    name=f"{topics.events}.",
                    operations=("WRITE",),
                    prefixed=True,
                ),
            )
        case "projector":
            return (
                _topic(topics.events, "READ"),
                Acl(resource="group", name=topics.projectors, operations=("READ",)),
            )
        case "api":
            return (*_publishes(topics), *_reads(topics.events, topics.replies))
        case "cli":
            reads = _reads(topics.events, topics.replies, topics.dead_letters)
            return (*_publishes(topics), *reads)
        case "publisher":
            return _publishes(topics)
        case "auditor":
            return _reads(topics.events)
        case "admin":
            return tuple(
                _topic(name, "CREATE", "DESCRIBE", "DESCRIBE_CONFIGS") for name in topics.all
            )


def commands(
    allowed: Mapping[str, Sequence[Acl]], bootstrap: str, config: str = "admin.properties"
) -> str:
    """For each principal the lines of Kafka's own tool that allow it what it needs."""
    tool = ["kafka-acls.sh", "--bootstrap-server", bootstrap, "--command-config", config, "--add"]
    lines = [
        shlex.join([*tool, "--allow-principal", principal, *_arguments(acl)])
        for principal, each in allowed.items()
        for acl in each
    ]
    return "".join(f"{line}\n" for line in lines)


def as_json(allowed: Mapping[str, Sequence[Acl]]) -> str:
    """The same as one JSON document: a list of rights, each with its principal."""
    rights = [
        {
            "principal": principal,
            "resource": acl.resource,
            "name": acl.name,
            "pattern": "prefixed" if acl.prefixed else "literal",
            "operations": list(acl.operations),
        }
        for principal, each in allowed.items()
        for acl in each
    ]
    return json.dumps(rights, indent=2)


def _partitioned(topics: Topics) -> tuple[str, ...]:
    """Read by their owner and written by it: inbound ones where a record is passed on."""
    return (*topics.inbound, topics.events, topics.checkpoints)


def _publishes(topics: Topics) -> tuple[Acl, ...]:
    return tuple(_topic(name, "WRITE") for name in topics.inbound)


def _reads(*names: str) -> tuple[Acl, ...]:
    return tuple(_topic(name, "READ") for name in names)


def _topic(name: str, *operations: str) -> Acl:
    return Acl(resource="topic", name=name, operations=operations)


def _arguments(acl: Acl) -> list[str]:
    named = [each.title().replace("_", "") for each in acl.operations]  # as in DescribeConfigs
    operations = [word for each in named for word in ("--operation", each)]
    pattern = ["--resource-pattern-type", "prefixed"] if acl.prefixed else []
    return [*operations, _FLAGS[acl.resource], acl.name, *pattern]
