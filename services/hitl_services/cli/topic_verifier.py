"""`hitl verify` on a cluster: the digest chains in the topic of events."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.kafka.partitioning import partition_of
from hitl_events.adapters.kafka.records import Place, Stored
from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.audit.chain import ChainCheck
from hitl_events.audit.report import Problem, Problems, VerifyReport
from hitl_events.client.spool import is_of, run_id_of
from hitl_events.client.topic import EventTopic
from hitl_events.domain.values import RUN_ID
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Screen
from hitl_services.text import quoted


async def verify_topic(
    screen: Screen, cluster: KafkaSettings, run_ids: Collection[str]
) -> VerifyReport:
    """Check the named runs, all if none is named.

    A run whose last events are missing looks whole here: what the events should come to stands in
    no topic that lives as long as they do.
    """
    named = {run_id for run_id in run_ids if RUN_ID.fullmatch(run_id)}
    wanted = named if run_ids else None
    async with EventTopic.open(cluster, wanted) as topic:
        checks = [_PlaceCheck(place, topic.count, wanted) for place in topic.spans]
        with progress(screen, "verifying", topic.offsets) as told:
            reports = [await check.read(topic, told) for check in checks]
    missing = set(run_ids).difference(*(check.seen for check in checks))
    errors = [*(each for report in reports for each in report.errors), *_missing(missing)]
    return VerifyReport(
        runs=sum(report.runs for report in reports),
        events=sum(report.events for report in reports),
        errors=tuple(errors),
    )


class _PlaceCheck:
    """One partition: a run stands in the one of its key, so each is checked by itself."""

    def __init__(self, place: Place, count: int, named: Collection[str] | None) -> None:
        self.seen: set[str] = set()
        self._place = place
        self._count = count
        self._named = named
        self._problems = Problems()

    async def read(self, topic: EventTopic, told: Callable[[int], None]) -> VerifyReport:
        """What is found in all of it; records that are no events are told with their partition."""
        check = ChainCheck(AvroCodec(), self._problems)
        async for piece in topic.read(self._place):
            self._add(check, piece)
            told(len(piece))
        found = check.report()
        return replace(found, errors=tuple(map(self._told, found.errors)))

    def _add(self, check: ChainCheck, records: Sequence[Stored]) -> None:
        for record in records:
            run_id = run_id_of(record)
            if self._named is not None and run_id not in self._named:
                continue
            self._keyed(run_id, record)
            check.add_all((record.value or b"",), first=record.offset)
            if self._named is not None and run_id is not None:
                self.seen.add(run_id)

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


def _missing(run_ids: Collection[str]) -> Iterator[Problem]:
    for run_id in sorted(run_ids):
        problem = f"expected a run of this log or a file, found neither under {quoted(run_id)}"
        yield Problem(run_id=run_id, seq=None, problem=problem)
