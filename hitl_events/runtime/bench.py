"""Where the steps of one partition are at work: they may outlive its runner, and be joined."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from hitl_events.engine.inputs import StepReport, StepStart
from hitl_events.errors import HitlError
from hitl_events.ports import Clock
from hitl_events.runtime.executor import Executor, Place
from hitl_events.runtime.tasks import Tasks

Tell = Callable[[StepReport], None]
Fail = Callable[[HitlError], None]


class Bench:
    """Used by one runner at a time: `take`, then `leave`.

    While nobody has it, what ends is given to `alone`. Whoever takes it next gets that again, with
    all that is not known to be recorded: a report that comes twice changes nothing.
    """

    def __init__(self, group: asyncio.TaskGroup, clock: Clock, alone: Tell | None = None) -> None:
        self._executor = Executor(clock, self._ended, self._failed)
        self._tasks = Tasks(group)
        self._alone = alone
        self._tell: Tell | None = None
        self._fail: Fail | None = None
        self._reports: dict[Place, StepReport] = {}

    @property
    def is_idle(self) -> bool:
        """True where nothing is at work, and all that ended was recorded."""
        return not self._executor.begun and not self._reports

    def take(self, tell: Tell, fail: Fail | None = None) -> Mapping[Place, int]:
        """The attempts that are to be joined; those that have ended are told at once.

        `fail` hears why one can not begin here, though nothing is wrong with it.
        """
        self._tell, self._fail = tell, fail
        ended = {place: report.attempt for place, report in self._reports.items()}
        for report in self._reports.values():
            tell(report)
        return {**ended, **self._executor.begun}

    def begin(self, start: StepStart, committed_s: float) -> None:
        """Begin an attempt soon; its commit began at that monotonic second."""
        self._tasks.add(partial(self._executor.run, start, committed_s))

    def recorded(self, reports: Iterable[StepReport]) -> None:
        """These are durable, or nobody waits for them."""
        for report in reports:
            place = (report.run_id, report.key)
            held = self._reports.get(place)
            if held is not None and held.attempt == report.attempt:
                del self._reports[place]

    def leave(self) -> None:
        """What runs may run on; what has not begun never will."""
        self._tell = self._fail = None
        self._tasks.forget()
        self._executor.let_go()
        for report in self._reports.values():
            self._ended_alone(report)

    def close(self) -> None:
        """Cancel what runs, forget what ended."""
        self._tell = self._fail = self._alone = None
        self._tasks.cancel()
        self._executor.close()
        self._reports.clear()

    def _failed(self, error: HitlError) -> None:
        if self._fail is not None:  # who has the run next finds the attempt in the log
            self._fail(error)

    def _ended(self, report: StepReport) -> None:
        self._reports[report.run_id, report.key] = report
        if self._tell is not None:
            self._tell(report)
        else:
            self._ended_alone(report)

    def _ended_alone(self, report: StepReport) -> None:
        if self._alone is not None and not report.uncertain:  # whoever has the run now asks anyway
            self._alone(report)
