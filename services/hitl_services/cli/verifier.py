"""`hitl verify`: the digest chains of the log, of some runs, or of exported files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hitl_events.audit.checkpoint import Statement, missing as missing_from
from hitl_events.audit.report import Problem, Problems, VerifyReport
from hitl_events.domain.values import value
from hitl_events.errors import CorruptLog, NoReadModel, UnsoundCheckpoint
from hitl_services.cli.checkpoint_files import CheckpointFile
from hitl_services.cli.export_files import FileShare
from hitl_services.cli.log_share import LogShare, NamedRuns
from hitl_services.cli.opening import known_model
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Line, Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.shares import Share, Sum, summed, together
from hitl_services.cli.store import embedded_log
from hitl_services.cli.workers import Tell, all_of, cores
from hitl_services.failure import BROKEN_CHAIN, DONE, one_line
from hitl_services.text import counted, harmless, quoted

EVENTS_PER_JOB_MIN = 100_000
"""A second process takes 0.3 s to begin, in which the first has checked half of these."""
_FILE_BYTES_PER_JOB_MIN = 8 * 1024 * 1024
_SHOWN_MAX = 100
"""Problems on a page: the first tells what happened; `--json` has all of them."""


@value
class Asked:
    """What is to be compared with (None: nothing), and in how many processes (None: as fits)."""

    against: CheckpointFile | None = None
    jobs: int | None = None


@value
class _Checkpoint:
    """What was signed, and whether it was said who must have."""

    statement: Statement
    key_given: bool

    def to_json(self) -> dict[str, Any]:
        held = self.statement
        return {
            "at": held.at,
            "runs": held.runs,
            "events": held.events,
            "root": held.root.hex(),
            "key": held.key.hex(),
        }

    def said(self) -> str:
        signed = f"signed {self.statement.at} by the key {self.statement.key.hex()}"
        return signed if self.key_given else f"{signed} (--key FILE says whose it must be)"


def verify(screen: Screen, settings: Settings, named: tuple[str, ...], asked: Asked) -> int:
    """Check all that is named: files, and of the log the named runs, or all of it."""
    checkpoint: _Checkpoint | None = None
    if asked.against is not None:
        try:
            statement = asked.against.statement()
        except UnsoundCheckpoint as error:
            unsound = Problem(run_id=None, seq=None, problem=str(error))
            report = VerifyReport(runs=0, events=0, errors=(unsound,))
            return _shown(screen, settings, report, None)
        checkpoint = _Checkpoint(statement=statement, key_given=asked.against.key is not None)
    return _shown(screen, settings, _report(screen, settings, named, asked), checkpoint)


def _report(
    screen: Screen, settings: Settings, named: tuple[str, ...], asked: Asked
) -> VerifyReport:
    files = [name for name in dict.fromkeys(named) if is_file(name)]
    run_ids = tuple(name for name in dict.fromkeys(named) if name not in files)
    sources = check_files(screen, files, asked, only=frozenset(run_ids)) if files else []
    model: tuple[Problem, ...] = ()
    if run_ids or not files:
        of_log = check_log(screen, settings, run_ids, asked)
        sources.append(of_log)
        if not run_ids and not of_log.report.errors:  # else both differ for the same reason
            model = _read_model(screen, settings)
    found = together(sources)
    problems = Problems()
    for each in (*found.report.errors, *model):
        problems.add(each.run_id, each.seq, each.problem)
    heads = asked.against.heads(found.unmet.__contains__) if asked.against else {}
    for run_id in sorted(found.unmet):
        problems.add(run_id, *missing_from(heads[run_id].seq, found.unmet[run_id]))
    report = found.report
    return VerifyReport(runs=report.runs, events=report.events, errors=problems.all())


def _read_model(screen: Screen, settings: Settings) -> tuple[Problem, ...]:
    """Where there is one it must be what the events give.

    It is no source of runs: what it knows of one that the log lacks proves nothing.
    """
    if (target := known_model(settings)) is None:
        return ()
    from hitl_services.cli.model_check import differences

    try:
        return differences(screen, settings, target)
    except NoReadModel:
        return ()


def is_file(name: str) -> bool:
    """A pipe is read like one: what another command writes need not lie on a disk."""
    try:
        return Path(name).is_file() or Path(name).is_fifo()
    except (OSError, ValueError):
        return False  # no path can be like this, a run neither; that is said later


def check_log(
    screen: Screen,
    settings: Settings,
    run_ids: tuple[str, ...],
    asked: Asked,
    *,
    heads: Tell | None = None,
) -> Sum:
    """The log, or some of its runs; the heads of all go to `heads`, if that is given."""
    if settings.cluster is not None:
        return _topic(screen, settings, run_ids, asked, heads)
    if run_ids:
        job = NamedRuns(settings=settings, run_ids=run_ids, against=asked.against)
        return summed(all_of([job], _nothing))
    events = _events(settings)
    jobs = asked.jobs or _fitting(events, EVENTS_PER_JOB_MIN)
    shares = [
        LogShare(
            settings=settings,
            share=Share(number=number, of=jobs),
            against=asked.against,
            tells_heads=heads is not None,
        )
        for number in range(jobs)
    ]
    with progress(screen, "verifying", events) as told:
        return summed(all_of(shares, _hearing(told, heads)), by_place=True)


def _events(settings: Settings) -> int:
    with embedded_log(settings, must_exist=True) as log, suppress(CorruptLog):  # it is told later
        return asyncio.run(log.end())
    return 0


def _topic(
    screen: Screen,
    settings: Settings,
    run_ids: tuple[str, ...],
    asked: Asked,
    heads: Tell | None,
) -> Sum:
    from hitl_services.cli.topic_verifier import TopicShare, missing, shares_of, spans_of

    assert settings.cluster is not None
    count, spans = asyncio.run(spans_of(settings.cluster, run_ids))
    offsets = sum(end - start for start, end in spans.values())
    whole = TopicShare(
        settings=settings,
        cluster=settings.cluster,
        count=count,
        spans=spans,
        named=frozenset(run_ids) if run_ids else None,
        against=asked.against,
        tells_heads=heads is not None,
    )
    shares = shares_of(whole, asked.jobs or _fitting(offsets, EVENTS_PER_JOB_MIN))
    with progress(screen, "verifying", offsets) as told:
        found = [each for some in all_of(shares, _hearing(told, heads)) for each in some]
    found.sort(key=lambda each: each.partition)
    total = summed([each.report for each in found])
    absent = list(missing(run_ids, found)) if run_ids else []
    report = total.report
    errors = (*report.errors, *absent)
    return Sum(
        report=VerifyReport(runs=report.runs, events=report.events, errors=errors),
        unmet=total.unmet,
    )


def check_files(
    screen: Screen,
    names: Sequence[str],
    asked: Asked,
    *,
    only: frozenset[str] = frozenset(),
) -> list[Sum]:
    """Exported files, for which no log is needed, in their order."""
    size = sum(Path(name).stat().st_size for name in names)
    piped = any(Path(name).is_fifo() for name in names)  # another process may not have it open
    jobs = 1 if piped else min(asked.jobs or _fitting(size, _FILE_BYTES_PER_JOB_MIN), len(names))
    shares = [
        FileShare(names=tuple(names[first::jobs]), against=asked.against, only=only)
        for first in range(jobs)
    ]
    what = quoted(names[0]) if len(names) == 1 else counted(len(names), "file")
    with progress(screen, f"verifying {what}", None) as told:
        found = all_of(shares, told)
    by_name = {
        name: report
        for share, reports in zip(shares, found, strict=True)
        for name, report in zip(share.names, reports, strict=True)
    }
    return [summed([by_name[name]]) for name in names]


def _fitting(amount: int, least: int) -> int:
    """As many processes as have enough to do, at most the cores."""
    return max(1, min(cores(), amount // least))


def _hearing(told: Callable[[int], None], heads: Tell | None) -> Tell:
    """What a share tells: how many more are done, or heads."""

    def heard(held: Any) -> None:  # noqa: ANN401 - either of two kinds
        if isinstance(held, int):
            told(held)
        elif heads is not None:
            heads(held)

    return heard


def _nothing(_: object) -> None:
    """Nobody looks."""


def _shown(
    screen: Screen, settings: Settings, report: VerifyReport, checkpoint: _Checkpoint | None
) -> int:
    if settings.json:
        shown = report.to_json()
        screen.document(
            shown if checkpoint is None else {**shown, "checkpoint": checkpoint.to_json()}
        )
    elif report.ok:
        said = f"{counted(report.runs, 'run')}, {counted(report.events, 'event')}"
        page: list[Line] = [[("verified", "bold green"), f"  {said}: every chain is whole"]]
        if checkpoint is not None:
            held = counted(checkpoint.statement.runs, "run")
            page.append([f"          as in the checkpoint of {held}, {checkpoint.said()}"])
        screen.page(page)
    else:
        screen.page(problems_page(report.errors))
    return DONE if report.ok else noted(screen, report, as_json=settings.json)


def noted(screen: Screen, report: VerifyReport, *, as_json: bool) -> int:
    """The first problem as the line on stderr; gives the exit code."""
    if screen.is_seen and not as_json:
        return BROKEN_CHAIN  # whoever looks has just read it
    first = report.errors[0]
    more = f" (and {len(report.errors) - 1} more)" if len(report.errors) > 1 else ""
    screen.note(f"hitl: {one_line(f'verification failed: {_place(first)}{first.problem}{more}')}")
    return BROKEN_CHAIN


def problems_page(listed: Sequence[Problem]) -> Iterator[Line]:
    """What is wrong and where."""
    yield [("broken", "bold red"), f"  {counted(len(listed), 'problem')}"]
    for each in listed[:_SHOWN_MAX]:
        yield ["  ", (_place(each), "bold"), harmless(each.problem)]
    if len(listed) > _SHOWN_MAX:
        yield [f"  and {len(listed) - _SHOWN_MAX} more: --json lists them"]


def _place(problem: Problem) -> str:
    if problem.run_id is None:
        return ""
    seq = "" if problem.seq is None else f", event {problem.seq}"
    return f"run {harmless(problem.run_id)}{seq}: "
