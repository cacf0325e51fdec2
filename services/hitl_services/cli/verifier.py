"""`hitl verify`: the digest chains of the log, of some runs, or of exported files."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.sqlite import Damage, SqliteLog
from hitl_events.audit.chain import ChainCheck
from hitl_events.audit.imported import FileCheck
from hitl_events.audit.report import Problem, Problems, VerifyReport
from hitl_events.domain.values import RunId
from hitl_events.errors import CorruptLog, LogUnavailable
from hitl_events.ports import RunPosition
from hitl_services.cli.progress import progress
from hitl_services.cli.screen import Line, Screen
from hitl_services.cli.settings import Settings
from hitl_services.cli.store import embedded_log
from hitl_services.failure import BROKEN_CHAIN, DONE, one_line
from hitl_services.text import counted, harmless, quoted

_SHOWN_MAX = 100
"""Problems on a page: the first tells what happened; `--json` has all of them."""


def verify(screen: Screen, settings: Settings, named: tuple[str, ...]) -> int:
    """Check all that is named: files, and of the log the named runs, or all of it."""
    files = [name for name in named if _is_file(name)]
    run_ids = [name for name in dict.fromkeys(named) if name not in files]
    reports = [check_file(screen, name) for name in files]
    if run_ids or not files:
        reports.append(_log(screen, settings, run_ids))
    report = VerifyReport(
        runs=sum(each.runs for each in reports),
        events=sum(each.events for each in reports),
        errors=tuple(problem for each in reports for problem in each.errors),
    )
    if settings.json:
        screen.document(report.to_json())
    elif report.ok:
        said = f"{counted(report.runs, 'run')}, {counted(report.events, 'event')}"
        screen.page([[("verified", "bold green"), f"  {said}: every chain is whole"]])
    else:
        screen.page(problems_page(report.errors))
    return DONE if report.ok else noted(screen, report, as_json=settings.json)


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False  # no path can be like this, a run neither; that is said later


def _log(screen: Screen, settings: Settings, run_ids: Sequence[str]) -> VerifyReport:
    if settings.cluster is not None:
        from hitl_services.cli.topic_verifier import verify_topic

        return asyncio.run(verify_topic(screen, settings.cluster, run_ids))
    problems = Problems()
    check = ChainCheck(AvroCodec(), problems)
    try:
        with embedded_log(settings, must_exist=True) as log, log.snapshot():
            asyncio.run(
                _some(log, check, problems, run_ids)
                if run_ids
                else _all(screen, log, check, problems)
            )
    except CorruptLog as error:
        problems.add(None, None, f"{error.where}: {error.problem}")
    return check.report()


async def _all(screen: Screen, log: SqliteLog, check: ChainCheck, problems: Problems) -> None:
    with progress(screen, "verifying", await log.end()) as told:
        async for piece in log.read_lenient():
            if isinstance(piece, Damage):
                await _lost(log, check, problems, piece)
                told(piece.count)
            else:
                check.add_all((event.value for event in piece), first=piece[0].offset)
                told(len(piece))
    check.finish(await _heads(log))
    check.check_index([each async for page in log.offset_sums() for each in page])


async def _lost(log: SqliteLog, check: ChainCheck, problems: Problems, damage: Damage) -> None:
    """A block that can not be read: which events stood in it."""
    problem = f"block at offset {damage.first}: {damage.problem}"
    hit: Mapping[RunId, Sequence[int]] = {}
    try:
        hit = await log.runs_in_block(damage.first, damage.count)
    except CorruptLog as error:
        problem = f"{problem}; the index can not be read either: {error.problem}"
    if not hit:
        problems.add(None, None, problem)
    for run_id, seqs in hit.items():
        check.lost(run_id, seqs, problem)


async def _heads(log: SqliteLog) -> list[RunPosition]:
    return [position async for piece in log.positions() for position in piece]


async def _some(
    log: SqliteLog, check: ChainCheck, problems: Problems, run_ids: Sequence[str]
) -> None:
    read: set[str] = set()
    for run_id in run_ids:
        try:
            values = (await log.load([RunId(run_id)])).get(RunId(run_id), ())
        except CorruptLog as error:
            problems.add(run_id, None, f"{error.where}: {error.problem}")
            continue
        if values:
            check.add_all(values)
            read.add(run_id)
        else:
            problem = f"expected a run of this log or a file, found neither under {quoted(run_id)}"
            problems.add(run_id, None, problem)
    check.finish([head for head in await _heads(log) if head.run_id in read])


def check_file(screen: Screen, name: str) -> VerifyReport:
    """Check an exported file; no log is needed."""
    check = FileCheck(AvroCodec())
    with progress(screen, f"verifying {quoted(name)}", None) as told:
        for line in lines_of(name):
            check.add(line)
            told(1)
    check.finish()
    return check.report()


def lines_of(name: str) -> Iterator[bytes]:
    """The lines of a file; `LogUnavailable` says why it can not be read."""
    try:
        with Path(name).open("rb") as file:
            yield from file
    except OSError as error:
        message = f"expected to read the file {quoted(name)}, found: {error.strerror}"
        raise LogUnavailable(message) from None


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
