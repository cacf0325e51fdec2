"""`hitl topics`: makes the topics of a prefix, and says who needs which right on them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from hitl_events.adapters.kafka.acls import PROCESSES, Acl, acls, as_json, commands
from hitl_events.adapters.kafka.admin import Admin, TopicState
from hitl_events.adapters.kafka.follower import Follower
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.errors import InvalidInput
from hitl_services.cli.screen import Line, Screen
from hitl_services.cli.settings import Settings
from hitl_services.failure import DONE
from hitl_services.text import counted, harmless


def create(
    screen: Screen, settings: Settings, partitions: int | None, replication: int | None
) -> int:
    """Make those that are missing; what is there and differs is told."""
    states = asyncio.run(_created(_cluster(settings), partitions, replication))
    if settings.json:
        screen.document([asdict(state) for state in states])
    else:
        screen.page(_page(states))
    return DONE


async def _created(
    cluster: KafkaSettings, partitions: int | None, replication: int | None
) -> Sequence[TopicState]:
    async with Follower(cluster):
        pass  # says in seconds if the cluster cannot be reached
    async with Admin(cluster) as admin:
        return await admin.create(partitions, replication)


def print_acls(
    screen: Screen, settings: Settings, process: str | None, principal: str | None
) -> int:
    """The rights of one process, or of all."""
    if principal is not None and process is None:
        raise InvalidInput("expected --process beside --principal, found none")
    cluster = _cluster(settings)
    topics = Topics(cluster.prefix)
    allowed: dict[str, tuple[Acl, ...]] = {
        principal or f"User:{cluster.prefix}-{each}": acls(each, topics, cluster.group)
        for each in PROCESSES
        if process in {None, each}
    }
    if settings.json:
        screen.write(f"{as_json(allowed)}\n")
    else:
        text = commands(allowed, ",".join(cluster.bootstrap))
        screen.page([line] for line in text.splitlines())
    return DONE


def _cluster(settings: Settings) -> KafkaSettings:
    if settings.cluster is None:
        raise InvalidInput("expected a cluster in --kafka or HITL_KAFKA_BOOTSTRAP, found none")
    return settings.cluster


def _page(states: Sequence[TopicState]) -> Iterator[Line]:
    for state in states:
        done = ("created", "bold green") if state.created else ("there   ", "bold")
        yield [done, f"  {state.name}  {counted(state.partitions, 'partition')}"]
        for each in state.differences:
            found = harmless(each.found) or "nothing"
            said = (
                f"{each.setting} is {found}, expected {each.expected}: change it by Kafka's tools"
            )
            yield ["          ", ("differs", "yellow"), f"  {said}"]
