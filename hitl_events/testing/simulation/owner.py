"""One owner of the simulated partition: the loop of `runtime.runner`, without waiting.

The order is the runner's: what has arrived, then timers; load what is missing; take; append; only
then steps and answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from hitl_events.adapters.memory import MemoryLog
from hitl_events.domain.values import RunId
from hitl_events.engine.engine import Engine
from hitl_events.engine.inputs import Due, Input, StepReport, StepStart, Submission, Wake
from hitl_events.engine.tools import Tools
from hitl_events.engine.turn import Turn
from hitl_events.errors import CorruptLog
from hitl_events.ports import Answer, Clock, InboundRecord
from hitl_events.runtime.arrivals import Arrivals

RETRY_DUE_S = 1.0
BUSY_RUNS_MAX = 1000

_T = TypeVar("_T")


def done(waiting: Coroutine[Any, Any, _T]) -> _T:
    """What a coroutine of the memory log gives; it never waits."""
    try:
        waiting.send(None)
    except StopIteration as stopped:
        result: _T = stopped.value
        return result
    raise AssertionError("expected a log that does not wait, found one that does")


def pieces(found: AsyncIterator[_T]) -> Iterator[_T]:
    """The pieces of a read of the memory log."""
    with suppress(StopAsyncIteration):
        while True:
            yield done(_next(found))


async def _next(found: AsyncIterator[_T]) -> _T:
    return await anext(found)


def read(log: MemoryLog, start: int) -> list[bytes]:
    """The values of all events from offset `start` on."""
    return [stored.value for piece in pieces(log.read(start)) for stored in piece]


class Surroundings(Protocol):
    """What an owner tells the world, and what the world gives it."""

    def read(self, record: InboundRecord) -> Submission:
        """A record of the intake as the engine takes it."""
        ...

    def intake_was_read(self) -> None:
        """The intake was read to its end and the turn has not begun: time may pass here."""
        ...

    def committed(self, owner: Owner, turn: Turn) -> None:
        """A batch is durable, nothing else of the turn was done yet."""
        ...

    def begin(self, owner: Owner, start: StepStart) -> None:
        """A step is to begin."""
        ...

    def rests(self, owner: Owner, run_id: RunId) -> None:
        """Who waits for the run is told that it pauses, has ended or is blocked."""
        ...

    def answered(self, ticket: int, answer: Answer) -> None:
        """Who asked is told."""
        ...


class Owner:
    """Owns the partition until it crashes or is fenced. `steps` are those under way in it."""

    def __init__(
        self,
        log: MemoryLog,
        tools: Tools,
        clock: Clock,
        around: Surroundings,
        *,
        cached_runs_max: int = 512,
        batch_inputs_max: int = 512,
    ) -> None:
        self.log = log
        self.tools = tools
        self.engine = Engine(tools, cached_runs_max=cached_runs_max)
        self._arrivals = Arrivals()
        self.queue = self._arrivals.own
        self.steps: list[StepStart] = []
        self._clock = clock
        self._around = around
        self._batch_inputs_max = batch_inputs_max
        self._dues: dict[RunId, datetime] = {}
        self._next_due: datetime | None = None
        self._fired = False
        self._taken = 0

    def restore(self) -> None:
        """Find the work that a predecessor left."""
        if self.tools.only is None:
            for run_id in done(self.log.busy(BUSY_RUNS_MAX)):
                self.queue.append(Wake(run_id=run_id, found_busy=True))
            self._next_due = done(self.log.next_due())
        self.log.changed()

    def turn(self) -> bool:
        """Gather what there is and rule on it; False where there was nothing."""
        inputs = self._gather()
        if not inputs:
            return False
        self._around.intake_was_read()
        self._take(inputs)
        return True

    def _gather(self) -> list[Input]:
        arrivals = self._arrivals
        now = self._clock.now()
        due = self._next_due is not None and now >= self._next_due
        # asked last: a change is told once
        if arrivals.wants_records and (due or not arrivals.read_to_end or self.log.changed()):
            records = done(self.log.take(self._taken, self._batch_inputs_max))
            to_end = len(records) < self._batch_inputs_max
            arrivals.put(map(self._around.read, records), read_to_end=to_end)
            if records:
                self._taken = records[-1].number
        else:
            due = False
        inputs = arrivals.take(self._batch_inputs_max)
        if due and arrivals.empty:
            inputs += self._fire(now)
        return inputs

    def _fire(self, now: datetime) -> list[Input]:
        self._fired = True
        if self.tools.only is not None:
            run_ids: Sequence[RunId] = [run_id for run_id, due in self._dues.items() if due <= now]
        else:
            run_ids = done(self.log.due(now, self._batch_inputs_max))
        return [Due(run_id=run_id, until=now) for run_id in run_ids]

    def _take(self, inputs: list[Input]) -> None:
        engine = self.engine
        inputs = [engine.claimed(each) if isinstance(each, Submission) else each for each in inputs]
        missing = engine.missing(inputs)
        if missing:
            loaded: Mapping[RunId, Sequence[bytes]] = done(self.log.load(missing))
            engine.admit(loaded, self.tools.codec)
        turn = engine.take(inputs, self._clock.now())
        self._commit(turn)
        self.queue.extendleft(reversed(turn.deferred))
        self._begin(turn.starts)
        for _, error in turn.faults:
            if isinstance(error, CorruptLog):
                raise error
        self._follow(turn)

    def _commit(self, turn: Turn) -> None:
        with ExitStack() as undo:
            undo.callback(self.engine.drop)
            if not turn.empty:
                done(self.log.append(turn.batch))
            undo.pop_all()
        self._around.committed(self, turn)

    def _begin(self, starts: Sequence[StepStart]) -> None:
        for start in starts:
            self.steps.append(start)
            self._around.begin(self, start)

    def _follow(self, turn: Turn) -> None:
        for ticket, answer in turn.answers:
            self._around.answered(ticket, answer)
        for run_id, position in turn.touched.items():
            active = self.engine.look(run_id)
            if active is not None and active.rest() and not active.left:
                self._around.rests(self, run_id)
            self._schedule(run_id, position.due)
        if self._fired:
            self._fired_out(turn)
        self.engine.settle()

    def _schedule(self, run_id: RunId, due: datetime | None) -> None:
        only = self.tools.only
        if only is not None:
            self._dues.pop(run_id, None)
            if due is not None and run_id in only:
                self._dues[run_id] = due
            self._next_due = min(self._dues.values(), default=None)
        elif due is not None:
            self._next_due = min(due, self._next_due or due)

    def _fired_out(self, turn: Turn) -> None:
        self._fired = False
        if self.tools.only is None:
            self._next_due = done(self.log.next_due())
        if self._next_due is not None and not turn.batch.events:
            pause = self._clock.now() + timedelta(seconds=RETRY_DUE_S)
            self._next_due = max(self._next_due, pause)

    def drain(self) -> bool:
        """It is closed in an orderly way: nothing new begins, what ends is still recorded."""
        self.engine.rest()
        reports = self._arrivals.take_reports()
        if reports:
            self._take(reports)
        return bool(reports)

    def report(self, report: StepReport) -> None:
        """The end of an attempt, as the executor gives it."""
        self.queue.append(report)

    @property
    def next_due(self) -> datetime | None:
        """When it will look at its timers again."""
        return self._next_due


Make = Callable[[], Owner]
