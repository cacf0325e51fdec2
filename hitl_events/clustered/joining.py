"""Joins a cluster: looks at its topics, makes the clients, and ties the parts together."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import field
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.inbound import Registry
from hitl_events.adapters.kafka.access import check_access
from hitl_events.adapters.kafka.acls import acls
from hitl_events.adapters.kafka.admin import Admin, Counts
from hitl_events.adapters.kafka.ends import Ends
from hitl_events.adapters.kafka.group import SESSION_S, Group
from hitl_events.adapters.kafka.partitioning import partition_of
from hitl_events.adapters.kafka.records import Place
from hitl_events.adapters.kafka.sender import Sender
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.standing import TopicStanding
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.adapters.system import SystemClock
from hitl_events.clustered.benches import Benches
from hitl_events.clustered.cluster import Cluster
from hitl_events.clustered.courier import Courier
from hitl_events.clustered.horizon import PATIENCE_S, Horizon, Watching
from hitl_events.clustered.keeper import Keeper, Watcher
from hitl_events.clustered.takeover import Setup, Takeover
from hitl_events.domain.requests import INLINE_BYTES_MAX
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId, value
from hitl_events.engine.tools import Tools
from hitl_events.ports import Blobs, Clock
from hitl_events.recipes.book import Book
from hitl_events.recipes.recipe import Recipe
from hitl_events.runtime.observer import Observer
from hitl_events.runtime.watchdog import Watchdog


class MemberWatcher(Watcher, Watching, Protocol):
    """Who is told how the partitions fare, and of those that timers do not wait for."""


@value
class Member:
    """One process that takes part.

    `observer` gives that of a partition, `session_s` is how long the group waits for a member that
    is not heard, `ended_keep` how long an ended run knows the ids of its refused decisions;
    `registry` has the schemas of records in the Confluent frame (None: these are unreadable). User
    data longer than `inline_bytes_max` goes to `blobs`, which all engines share (None: nothing).
    Gates do not expire while a partition of decisions is behind, unless it stays for `patience_s`.
    """

    settings: KafkaSettings
    recipes: Iterable[Recipe]
    keys: TokenKeys = field(repr=False)
    state_dir: Path
    watcher: MemberWatcher
    observer: Callable[[int], Observer]
    ended_keep: timedelta
    session_s: float = SESSION_S
    registry: Registry | None = None
    blobs: Blobs | None = None
    inline_bytes_max: int = INLINE_BYTES_MAX
    patience_s: float = PATIENCE_S
    clock: Clock = field(default_factory=SystemClock)


@asynccontextmanager
async def joining(member: Member) -> AsyncGenerator[Cluster]:
    """A cluster to `serve` in; errors of its topics and of the access to them come before."""
    settings, topics = member.settings, Topics(member.settings.prefix)
    # first: without the right to write a topic can not be seen either, and to write is what we need
    await check_access(settings, acls("engine", topics, settings.group))
    async with Admin(settings) as admin:
        counts = await admin.partitions()
    watchdog = Watchdog()
    tools = Tools(
        codec=AvroCodec(),
        keys=member.keys,
        recipes=Book(member.recipes),
        watch=watchdog,
        blobs=member.blobs,
        inline_bytes_max=None if member.blobs is None else member.inline_bytes_max,
    )
    setup = Setup(
        settings=member.settings,
        state_dir=member.state_dir,
        tools=tools,
        counts=counts,
        ended_keep=member.ended_keep,
        clock=member.clock,
        watcher=member.watcher,
        registry=member.registry,
        observer=member.observer,
    )
    cluster = Cluster()
    inbound = Group(settings, cluster, topics.inbound, session_s=member.session_s)
    try:
        async with (
            Ends(member.settings) as ends,
            _courier(member, counts) as courier,
            Benches(member.clock, courier.carry) as benches,
            _horizon(member, counts, ends, inbound) as horizon,
        ):
            take_over = Takeover(setup, ends, inbound, benches, horizon)

            def keeper(number: int) -> Keeper:
                return Keeper(number, take_over, inbound.confirm, member.watcher, member.clock)

            cluster.connect(inbound, keeper)
            yield cluster
    finally:
        watchdog.close()


def _horizon(member: Member, counts: Counts, ends: Ends, inbound: Group) -> Horizon:
    settings, topic = member.settings, Topics(member.settings.prefix).decisions
    standing = TopicStanding(settings, topic, counts.runs, ends, inbound)
    watcher, clock = member.watcher, member.clock
    return Horizon(standing, counts.runs, watcher, clock, patience_s=member.patience_s)


def _courier(member: Member, counts: Counts) -> Courier:
    topic = Topics(member.settings.prefix).commands

    def place(run_id: RunId) -> Place:
        return Place(topic, partition_of(run_id, counts.runs))

    return Courier(lambda: Sender(member.settings), place, member.keys, member.clock)
