"""Wiring of `hitl-projector`: settings, cluster and read model, in the frame of a process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import field
from datetime import timedelta
from functools import partial
from typing import Protocol

from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.kafka.trouble import quiet_driver
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.opening import open_read_model
from hitl_events.clustered import Projecting, projecting
from hitl_events.domain.values import value
from hitl_events.errors import InvalidInput
from hitl_services.observers import Observers
from hitl_services.process import Context, Service, serve
from hitl_services.served import Served, health_of
from hitl_services.settings import Look, ProcessSettings


class Projection(Served, Protocol):
    """A place in the group of projectors: partitions come and go."""

    @property
    def lags(self) -> Mapping[int, int]:
        """Partition -> events that are not in the read model."""
        ...

    async def serve(self, stop: asyncio.Event) -> None:
        """Take part until `stop` is set."""
        ...


@value
class Plan:
    """All that is needed to take part."""

    kafka: KafkaSettings
    open_model: Callable[[], ReadModel] = field(repr=False)
    session: timedelta


class OpenProjection(Protocol):
    """How a place in the group is had."""

    def __call__(self, plan: Plan, observer: Observers) -> AbstractAsyncContextManager[Projection]:
        """Connect, check, and be ready to `serve`; errors are `HitlError`s."""
        ...


def run(name: str, options: Mapping[str, str], open_: OpenProjection | None = None) -> int:
    """Serve until a signal or an error; the exit code."""
    work = partial(_work, open_=open_ or _open)
    return serve(Service(name=name, options=options, needs_key=False), _prepare, work)


def _prepare(look: Look, settings: ProcessSettings) -> Plan:
    """`InvalidInput`, naming the variable, before anything is connected."""
    kafka = KafkaSettings.of(look)
    url = settings.read_model
    if url is None:
        raise InvalidInput(
            "expected HITL_READ_MODEL, sqlite:///FILE or postgresql://..., found none"
        )
    return Plan(
        kafka=kafka, open_model=lambda: ReadModel(open_read_model(url)), session=settings.session
    )


async def _work(context: Context, plan: Plan, *, open_: OpenProjection) -> None:
    """In the group until the stop; what is opened is closed in reverse."""
    quiet_driver()  # while a broker is away it logs each of its tries
    async with open_(plan, context.observer) as projection:
        context.ready_when(partial(health_of, projection))
        context.each_beat(lambda: context.meter.projecting(projection.lags))
        await projection.serve(context.stop)


def _open(plan: Plan, observer: Observers) -> AbstractAsyncContextManager[Projection]:
    member = Projecting(
        settings=plan.kafka,
        open_model=plan.open_model,
        watcher=observer,
        session_s=plan.session.total_seconds(),
    )
    return projecting(member)
