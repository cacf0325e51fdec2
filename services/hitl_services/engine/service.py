"""Wiring of `hitl-engine`: settings, recipes and the cluster, in the frame of a process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

from hitl_events.adapters.blobs import FileBlobs
from hitl_events.adapters.inbound.registry import HttpRegistry
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.trouble import quiet_driver
from hitl_events.clustered import Member, joining
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import value
from hitl_events.errors import InvalidInput
from hitl_events.recipes.recipe import Recipe
from hitl_services.modules import load_recipes
from hitl_services.observers import Observers
from hitl_services.places import claimed
from hitl_services.process import Context, Service, serve
from hitl_services.served import Served, health_of
from hitl_services.settings import Look, ProcessSettings


class Cluster(Served, Protocol):
    """A place in the cluster: partitions come and go."""

    @property
    def lags(self) -> Mapping[tuple[str, int], int]:
        """(Topic, partition) -> records that came in and are not settled."""
        ...

    async def serve(self, stop: asyncio.Event) -> None:
        """Take part until `stop` is set."""
        ...


@value
class Plan:
    """All that the cluster needs to know of us."""

    kafka: KafkaSettings
    recipes: Sequence[Recipe]
    keys: TokenKeys = field(repr=False)
    registry: HttpRegistry | None
    ended_keep: timedelta
    session: timedelta
    blobs: FileBlobs | None
    blob_limit: int


class OpenCluster(Protocol):
    """How a place in the cluster is had."""

    def __call__(
        self, plan: Plan, state_dir: Path, observer: Observers
    ) -> AbstractAsyncContextManager[Cluster]:
        """Connect, check, and be ready to `serve`; errors are `HitlError`s."""
        ...


def run(name: str, options: Mapping[str, str], open_cluster: OpenCluster | None = None) -> int:
    """Serve until a signal or an error; the exit code."""
    work = partial(_work, open_cluster=open_cluster or _open)
    return serve(Service(name=name, options=options), _prepare, work)


def _prepare(look: Look, settings: ProcessSettings) -> Plan:
    """`InvalidInput`, naming the variable, before anything is connected."""
    kafka = KafkaSettings.of(look)
    recipes = load_recipes(settings.recipes)
    if not recipes:
        raise InvalidInput("expected modules of recipes as HITL_RECIPES or --recipes, found none")
    keys = TokenKeys(settings.token_keys)
    blobs = None if settings.blobs is None else FileBlobs.shared(settings.blobs)
    if blobs is not None:
        blobs.check()
    return Plan(
        kafka=kafka,
        recipes=recipes,
        keys=keys,
        registry=None if settings.registry is None else HttpRegistry(settings.registry),
        ended_keep=settings.ended_keep,
        session=settings.session,
        blobs=blobs,
        blob_limit=settings.blob_limit,
    )


async def _work(context: Context, plan: Plan, *, open_cluster: OpenCluster) -> None:
    """In the cluster until the stop; what is opened is closed in reverse."""
    quiet_driver()  # while a broker is away it logs each of its tries, with keys and values
    async with AsyncExitStack() as stack:
        state_dir = stack.enter_context(claimed(context.settings.state_dir))
        opening = open_cluster(plan, state_dir, context.observer)
        cluster = await stack.enter_async_context(opening)
        context.ready_when(partial(health_of, cluster))
        context.each_beat(lambda: context.meter.lagging(cluster.lags))
        await cluster.serve(context.stop)


def _open(plan: Plan, state_dir: Path, observer: Observers) -> AbstractAsyncContextManager[Cluster]:
    member = Member(
        settings=plan.kafka,
        recipes=plan.recipes,
        keys=plan.keys,
        state_dir=state_dir,
        watcher=observer,
        observer=lambda _: observer,
        ended_keep=plan.ended_keep,
        session_s=plan.session.total_seconds(),
        registry=plan.registry,
        blobs=plan.blobs,
        inline_bytes_max=plan.blob_limit,
    )
    return joining(member)
