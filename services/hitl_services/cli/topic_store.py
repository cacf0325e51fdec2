"""Runs of a cluster as a reader sees them: folded from the topic of events into a spool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Generator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from hitl_events.adapters.avro.schemas import name_of
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.client.spool import Spool
from hitl_events.client.topic import EventTopic
from hitl_events.domain.values import RUN_ID, RunId
from hitl_events.errors import UnknownRun
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import Place, Store, blobs_of, token_keys

_ENDS = frozenset({"RunCompleted", "RunFailed", "RunCancelled"})
"""After one of these come at most refusals."""


class TopicStore(Store):
    """As any store; its events know where they stand."""

    log: Spool

    def places(self, run_id: RunId, count: int) -> Sequence[Place]:
        """Partition and offset of each event of a run."""
        return self.log.places(run_id)

    async def histories(
        self, run_ids: Collection[str] = (), *, open_only: bool = False
    ) -> AsyncIterator[tuple[RunId, Sequence[bytes]]]:
        """As in any store, but no run is folded to find the order: the spool has it."""
        for run_id in run_ids:
            if not await self.log.load([RunId(run_id)]):
                raise UnknownRun(run_id)
        for run_id in self.log.run_ids():
            values = (await self.log.load([run_id]))[run_id]
            if not open_only or _ENDS.isdisjoint(map(name_of, values)):
                yield run_id, values


@contextmanager
def folded(
    screen: Screen, settings: Settings, cluster: KafkaSettings, run_ids: Collection[str] | None
) -> Generator[Store]:
    """What is committed now of these runs, of all if None."""
    named = None if run_ids is None else {run_id for run_id in run_ids if RUN_ID.fullmatch(run_id)}
    spool = asyncio.run(_filled(screen, cluster, named))
    try:
        place = f"{cluster.prefix}.events on {','.join(cluster.bootstrap)}"
        keys, blobs = partial(token_keys, settings), blobs_of(settings)
        yield TopicStore(spool, keys, place=place, empty=False, blobs=blobs)
    finally:
        spool.close()


async def _filled(screen: Screen, cluster: KafkaSettings, run_ids: Collection[str] | None) -> Spool:
    """A spool of these runs, each from its beginning."""
    hints = run_ids is not None
    spool = await _read(screen, cluster, run_ids, hints=hints)
    if run_ids is not None and not spool.has_starts(run_ids):
        spool.close()
        spool = await _read(screen, cluster, run_ids, hints=False)
    return spool


async def _read(
    screen: Screen, cluster: KafkaSettings, run_ids: Collection[str] | None, *, hints: bool
) -> Spool:
    spool = Spool()
    with ExitStack() as undo:
        undo.callback(spool.close)
        async with EventTopic.open(cluster, run_ids, hints=hints) as topic:
            await _fill(screen, topic, spool, run_ids)
        spool.fold()
        undo.pop_all()
    return spool


async def _fill(
    screen: Screen, topic: EventTopic, spool: Spool, run_ids: Collection[str] | None
) -> None:
    keys = None if run_ids is None else {run_id.encode() for run_id in run_ids}
    with progress(screen, "reading the topic", topic.offsets) as told:
        async for piece in topic.pieces(told):
            spool.add(each for each in piece if keys is None or each.key in keys)
