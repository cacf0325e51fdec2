"""`hitl verify` on a cluster: the digest chains in the topic of events, by partition."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from hitl_events.adapters.kafka.partitioning import partition_of
from hitl_events.adapters.kafka.reader import Reader
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.audit.chain import ChainCheck
from hitl_events.audit.merkle import Head
from hitl_events.audit.report import Problem
from hitl_events.client.spool import is_of, run_id_of
from hitl_events.client.topic import EventTopic, Span
from hitl_events.domain.values import RUN_ID, value
from hitl_services.cli.checkpoint_files import CheckpointFile
from hitl_services.cli.settings import Settings
from hitl_services.cli.shares import (
    PlacedProblems,
    ShareReport,
    Tally,
    no_such_run,
    share_report,
    tell_heads,
)
from hitl_services.cli.store import checking
from hitl_services.cli.workers import Tell


@value
class TopicShare:
    """Some partitions, up to what was committed when the command began.

    A run whose last events are missing looks whole here: what the events should come to stands in
    no topic that lives as long as they do. A checkpoint knows.
    """

    settings: Settings
    cluster: KafkaSettings
    count: int
    spans: Mapping[Place, Span]
    named: frozenset[str] | None = None
    against: CheckpointFile | None = None
    tells_heads: bool = False

    def __call__(self, tell: Tell) -> list[TopicReport]:
        """What is found in each partition."""
        return asyncio.run(self._read(tell))

    async def _read(self, tell: Tell) -> list[TopicReport]:
        found: list[TopicReport] = []
        expected = self.against.heads(self._wanted) if self.against else {}
        async with Reader(self.cluster) as reader:
            topic = EventTopic(reader, self.count, self.spans)
            for place in self.spans:
                its = {
                    run_id: head
                    for run_id, head in expected.items()
                    if partition_of(run_id, self.count) == place.partition
                }
                check = _PlaceCheck(self, place, its)
                found.append(await check.read(topic, tell))
                if self.tells_heads:
                    tell_heads(check.chains.heads(), tell)
        return found

    def _wanted(self, run_id: str) -> bool:
        if self.named is not None and run_id not in self.named:
            return False
        return any(partition_of(run_id, self.count) == place.partition for place in self.spans)


@value
class TopicReport:
    """What is found in a partition, and which of the named runs are there."""

    partition: int
    report: ShareReport
    seen: frozenset[str]


class _PlaceCheck:
    """One partition: a run stands in the one of its key, so each is checked by itself."""

    def __init__(self, share: TopicShare, place: Place, expected: Mapping[str, Head]) -> None:
        self._seen: set[str] = set()
        self._place = place
        self._count = share.count
        self._named = share.named
        self._problems = PlacedProblems()
        codec = checking(share.settings, self._problems)
        self.chains = ChainCheck(codec, self._problems, expected=expected)

    async def read(self, topic: EventTopic, tell: Tell) -> TopicReport:
        """What is found in all of it; records that are no events are told with their partition."""
        tally = Tally(tell)
        async for piece in topic.read(self._place):
            self._add(piece)
            tally.add(len(piece))
        tally.flush()
        found = share_report(self.chains, self._problems)
        told = [(place, self._told(problem)) for place, problem in found.placed]
        return TopicReport(
            partition=self._place.partition,
            report=replace(found, placed=told),
            seen=frozenset(self._seen),
        )

    def _add(self, records: Sequence[Stored]) -> None:
        for record in records:
            run_id = run_id_of(record)
            if self._named is not None and run_id not in self._named:
                continue
            self._keyed(run_id, record)
            self.chains.add_all((record.value or b"",), first=record.offset)
            if self._named is not None and run_id is not None:
                self._seen.add(run_id)

    def _keyed(self, run_id: str | None, record: Stored) -> None:
        """The key is what partition and readers go by: it must be that of the event."""
        wrong: str | None = None
        if run_id is None or not is_of(record.value or b"", run_id):
            wrong = "the id of the event's run as key, found another"
        elif partition_of(run_id, self._count) != self._place.partition:
            wrong = (
                f"run {run_id!r} in partition {partition_of(run_id, self._count)}, found it here"
            )
        if wrong is not None:
            self._problems.add(None, None, f"record at offset {record.offset}: expected {wrong}")

    def _told(self, problem: Problem) -> Problem:
        if problem.run_id is not None:
            return problem
        return replace(problem, problem=f"{self._place}: {problem.problem}")


async def spans_of(
    cluster: KafkaSettings, run_ids: Collection[str]
) -> tuple[int, Mapping[Place, Span]]:
    """The number of partitions, and what is committed now in those of these runs (none: in all)."""
    named = {run_id for run_id in run_ids if RUN_ID.fullmatch(run_id)}
    async with EventTopic.open(cluster, named if run_ids else None) as topic:
        return topic.count, topic.spans


def shares_of(share: TopicShare, jobs: int) -> list[TopicShare]:
    """The same work for so many processes, at most one for each partition."""
    sizes = sorted(share.spans.items(), key=lambda held: held[1][0] - held[1][1])
    parts = [dict(sizes[first::jobs]) for first in range(min(jobs, max(len(sizes), 1)))]
    return [replace(share, spans=part) for part in parts]


def missing(run_ids: Collection[str], reports: Sequence[TopicReport]) -> Iterator[Problem]:
    """The named runs that are in no partition."""
    for run_id in sorted(set(run_ids).difference(*(each.seen for each in reports))):
        yield Problem(run_id=run_id, seq=None, problem=no_such_run(run_id))
