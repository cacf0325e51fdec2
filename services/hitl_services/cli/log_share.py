"""A share of the embedded log's verification, done by one process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from hitl_events.adapters.sqlite import Damage, SqliteLog
from hitl_events.adapters.system import SystemClock
from hitl_events.audit.chain import ChainCheck
from hitl_events.domain.values import RunId, value
from hitl_events.errors import CorruptLog
from hitl_services.cli.checkpoint_files import CheckpointFile
from hitl_services.cli.settings import Settings
from hitl_services.cli.shares import (
    PlacedProblems,
    Share,
    ShareReport,
    Tally,
    no_such_run,
    share_report,
    tell_heads,
)
from hitl_services.cli.store import checking, embedded_log
from hitl_services.cli.workers import Tell

_EVENTS, _POSITIONS, _BROKEN_OFF = range(3)
"""The parts of the check, in the order in which their problems are told."""


@value
class LogShare:
    """Every run of the share, as the log is at the moment in which this process opens it.

    With `tells_heads` the heads of its runs go to the caller.
    """

    settings: Settings
    share: Share
    against: CheckpointFile | None = None
    tells_heads: bool = False

    def __call__(self, tell: Tell) -> ShareReport:
        """Read all of the log, check what is of the share."""
        expected = self.against.heads(self.share.has) if self.against else {}
        problems = PlacedProblems()
        codec = checking(self.settings, problems)
        check = ChainCheck(codec, problems, expected=expected)
        misled: list[str] = []
        try:
            with embedded_log(self.settings, must_exist=True) as log, log.snapshot():
                self._events(log, check, problems, tell)
                misled = asyncio.run(self._positions(log, check, problems))
        except CorruptLog as error:
            problems.at = _BROKEN_OFF, 0
            problems.add(None, None, f"{error.where}: {error.problem}")
        if self.tells_heads:
            tell_heads(check.heads(), tell)
        return share_report(check, problems, misled)

    def _events(
        self, log: SqliteLog, check: ChainCheck, problems: PlacedProblems, tell: Tell
    ) -> None:
        tally = Tally(tell)
        for piece in log.values_lenient():
            if isinstance(piece, Damage):
                problems.at = _EVENTS, piece.first
                asyncio.run(self._lost(log, check, problems, piece))
                continue
            first, values = piece
            problems.at = _EVENTS, first
            spots = self.share.spots(values)
            check.add_all(
                [values[spot] for spot in spots], offsets=[first + spot for spot in spots]
            )
            tally.add(len(spots))
        tally.flush()

    async def _lost(
        self, log: SqliteLog, check: ChainCheck, problems: PlacedProblems, damage: Damage
    ) -> None:
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
            if self.share.has(run_id):
                check.lost(run_id, seqs, problem)

    async def _positions(
        self, log: SqliteLog, check: ChainCheck, problems: PlacedProblems
    ) -> list[str]:
        """Compare with what the log keeps of each run; gives the runs it looks for elsewhere."""
        problems.at = _POSITIONS, 0
        its = None if self.share.of == 1 else self.share.has
        check.finish(
            [each async for page in log.positions(its) for each in page], now=SystemClock().now()
        )
        if self.share.number == 0 and not problems:
            for run_id in await log.lost_keys():
                problems.add(run_id, 1, "expected to find the run by its id, found no way to it")
        if problems:
            return []
        sums = log.offset_sums(its)
        return [run_id async for page in sums for run_id in check.misled(page)]


@value
class NamedRuns:
    """Some runs of the embedded log, each by itself."""

    settings: Settings
    run_ids: tuple[str, ...]
    against: CheckpointFile | None = None

    def __call__(self, tell: Tell) -> ShareReport:
        """Load and check them; a run that is not there is a problem."""
        expected = self.against.heads(set(self.run_ids).__contains__) if self.against else {}
        problems = PlacedProblems()
        codec = checking(self.settings, problems)
        check = ChainCheck(codec, problems, expected=expected)
        try:
            with embedded_log(self.settings, must_exist=True) as log, log.snapshot():
                asyncio.run(self._checked(log, check, problems))
        except CorruptLog as error:
            problems.at = _BROKEN_OFF, 0
            problems.add(None, None, f"{error.where}: {error.problem}")
        return share_report(check, problems)

    async def _checked(self, log: SqliteLog, check: ChainCheck, problems: PlacedProblems) -> None:
        read: set[str] = set()
        for number, run_id in enumerate(self.run_ids):
            problems.at = _EVENTS, number
            try:
                values = (await log.load([RunId(run_id)])).get(RunId(run_id), ())
            except CorruptLog as error:
                problems.add(run_id, None, f"{error.where}: {error.problem}")
                continue
            if values:
                check.add_all(values)
                read.add(run_id)
            else:
                problems.add(run_id, None, no_such_run(run_id))
        problems.at = _POSITIONS, 0
        positions = [each async for page in log.positions() for each in page]
        check.finish([head for head in positions if head.run_id in read], now=SystemClock().now())
