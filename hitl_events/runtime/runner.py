"""The loop of one owned partition: gather inputs, take a turn, commit it, then do what follows.

While a commit is under way the next batch gathers, so an idle log answers after one commit and a
busy one writes large batches. If the process dies before the commit, nothing happened; after it,
everything that follows is found again in the log: steps by `busy`, timers by `due`, answers by the
intake.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from typing import Protocol

from hitl_events.domain.values import RunId, value
from hitl_events.engine.engine import CACHED_RUNS_MAX, Engine
from hitl_events.engine.inputs import Due, Input, Submission, Wake
from hitl_events.engine.tools import Tools
from hitl_events.engine.turn import Turn
from hitl_events.errors import CorruptLog, HitlError, LogUnavailable
from hitl_events.ports import Answer, Clock, EffectBatch, InboundRecord, Intake, RunStates
from hitl_events.runtime.arrivals import Arrivals
from hitl_events.runtime.bench import Bench
from hitl_events.runtime.blobs import blobs_of, store_blobs
from hitl_events.runtime.foreign import outside_of_tasks
from hitl_events.runtime.observer import Observer
from hitl_events.runtime.waiters import Waiter, Waiters

BATCH_INPUTS_MAX = 512
"""Inputs of one commit: about 1,500 events of 350 B, half a megabyte."""

POLL_S = 0.01
"""How often the intake is looked at for records of other processes (a look costs 2 us).

Where the intake tells us (`nudge`), once a second will do."""

DRAIN_S = 5.0
"""What running steps may take to end when their runtime is closed: half of what SIGTERM has."""

RETRY_DUE_S = 1.0
"""Pause before a timer is looked at again whose run could not act on it."""

UNHEARD_RUNS = 16
"""Due runs that are looked at, once in `RETRY_DUE_S`, while gates may not expire yet: retries are
among them. Few, as those whose gates wait are loaded in vain."""

BUSY_RUNS_MAX = 100_000
"""Runs with steps under way that a new owner takes up; more would not fit into memory either."""

WAKES_PER_TURN = 16
"""Of those: 3 ms, as a decision is fetched in some ten turns of the loop that partitions share."""

CLOSED = "expected an open runtime, found one that was closed; open it again"


class PartitionLog(RunStates, Intake, Protocol):
    """What one owned partition needs of its store."""

    async def append(self, batch: EffectBatch) -> None:
        """As `EventLog.append`."""
        ...

    def changed(self) -> bool:
        """True if another process may have written since the last call."""
        ...

    async def rest(self, now_s: float) -> bool:
        """A piece of what can wait until nothing comes in; False where there is nothing to do."""
        ...

    def heard(self, due: datetime, now: datetime) -> datetime:
        """The moment, at most `now`, by which whatever came is in this intake, wherever it came.

        Where it is before `due`, a later one is found out meanwhile, and a nudge tells.
        """
        ...


@value
class Pace:
    """How long running steps may take to end, and how often the intake is looked at; in seconds.

    And how many runs stay in memory that have no step to run.
    """

    drain_s: float = DRAIN_S
    poll_s: float = POLL_S
    cached_runs_max: int = CACHED_RUNS_MAX


class Runner:
    """Owns the partition while it runs; `serve` ends at `stop` or with the error that ended it."""

    def __init__(
        self,
        log: PartitionLog,
        tools: Tools,
        clock: Clock,
        read: Callable[[InboundRecord], Submission],
        observer: Observer,
        pace: Pace,
    ) -> None:
        self._log = log
        self._tools = tools
        self._clock = clock
        self._read = read
        self._observer = observer
        self._drain_s = pace.drain_s
        self._poll_s = pace.poll_s
        self._engine = Engine(tools, cached_runs_max=pace.cached_runs_max)
        self._bench: Bench | None = None
        self._arrivals = Arrivals()
        self._queue = self._arrivals.own
        self._to_wake: deque[Input] = deque()
        self._tickets: dict[int, Waiter] = {}
        self._waiters = Waiters()
        self._wakeup = asyncio.Event()
        self._dues: dict[RunId, datetime] = {}
        self._fired = False
        self._stopping = False
        self._draining = False
        self._taken = 0
        self._next_due: datetime | None = None
        self._unheard_from_s = 0.0
        self._last_ticket = 0
        self._trouble: HitlError | None = None

    # asked by the runtime

    def work_at(self, bench: Bench) -> None:
        """Let steps run there: they outlive this runner, and those of one before are joined."""
        self._bench = bench

    def submit(self, command: Submission) -> Waiter:
        """Bring the owner's own command: refused, or done when its run pauses, ends or blocks."""
        self._last_ticket += 1
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._tickets[self._last_ticket] = waiter
        command.ticket = self._last_ticket  # type: ignore[misc]  # before anybody sees it
        self._push(command)
        return waiter

    def wake(self, run_id: RunId) -> Waiter:
        """Take a run up (again), until it pauses, ends or blocks."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(run_id, waiter, Answer(run_id=run_id, seq=None))
        self._push(Wake(run_id=run_id))
        return waiter

    def stop(self) -> None:
        """End `serve` after the current turn."""
        self._stopping = True
        self._wakeup.set()

    def nudge(self) -> None:
        """Something came into the intake, or may have: look at once."""
        self._wakeup.set()

    def _fail(self, error: HitlError) -> None:
        """A step can not begin in this process: end, before it is taken for done."""
        self._trouble = error
        self._wakeup.set()

    def _check(self) -> None:
        if self._trouble is not None:
            raise self._trouble

    def _push(self, entry: Input) -> None:
        self._queue.append(entry)
        self._wakeup.set()

    # the loop

    async def serve(self) -> None:
        """Run until `stop`. Steps that do not end in time then are cancelled; the log knows them.

        A `HitlError` that ends it is given to all who wait.
        """
        failure: HitlError | None = None
        try:
            if self._bench is not None:
                failure = await self._serve_at(self._bench)
            else:
                failure = await self._serve_alone()
        finally:
            self._engine.drop()  # suspended recipes end here, not wherever they are collected
            self._waiters.close(self._tickets.values(), failure or LogUnavailable(CLOSED))
        if failure is not None:
            raise failure

    async def _serve_alone(self) -> HitlError | None:
        """Steps end with us."""
        async with asyncio.TaskGroup() as group:
            bench = Bench(group, self._clock)
            try:
                return await self._serve_at(bench)
            finally:
                bench.close()

    async def _serve_at(self, bench: Bench) -> HitlError | None:
        for (run_id, key), attempt in bench.take(self._push, self._fail).items():
            self._engine.adopt(run_id, key, attempt)
        try:
            await self._loop(bench)
        except HitlError as error:
            return error
        finally:
            bench.leave()
        return None

    async def _loop(self, steps: Bench) -> None:
        await self._restore()
        while not self._stopping:
            self._check()
            inputs = await self._gather()
            if inputs:
                await self._turn(inputs, steps)
                inputs.clear()  # nothing of a batch is kept while the next one is made
                await asyncio.sleep(0)  # steps and callers get their turn
            elif not await self._log.rest(self._clock.monotonic_s()):
                await self._idle()
        if self._drain_s > 0:
            await self._drain(steps)

    async def _drain(self, steps: Bench) -> None:
        """Let the steps that run end and be recorded; else a `once` step would be cut in two."""
        self._draining = True
        self._engine.rest()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._drain_s):
                while self._engine.has_running_steps:
                    await self._record_ends(steps)

    async def _record_ends(self, steps: Bench) -> None:
        self._check()
        self._wakeup.clear()
        reports = self._arrivals.take_reports()
        if reports:
            await self._turn(reports, steps)
        else:
            await self._idle()

    async def _restore(self) -> None:
        if self._tools.only is None:
            for run_id in await self._log.busy(limit=BUSY_RUNS_MAX):
                self._to_wake.append(Wake(run_id=run_id, found_busy=True))
            self._next_due = await self._log.next_due()
        self._log.changed()

    async def _idle(self) -> None:
        """Until something comes in, a timer is due, or it is time to look at the intake."""
        loop = asyncio.get_running_loop()
        left = timedelta(0) if self._next_due is None else self._next_due - self._clock.now()
        wait_s = min(self._poll_s, left.total_seconds()) if left > timedelta(0) else self._poll_s
        poll = loop.call_later(wait_s, self._wakeup.set)
        await self._wakeup.wait()
        poll.cancel()

    async def _gather(self) -> list[Input]:
        self._wakeup.clear()
        arrivals = self._arrivals
        now = self._clock.now()
        heard = await self._heard(now)  # after `now`: who came in time is heard first
        # asked last: a change is told once
        if arrivals.wants_records and (heard or not arrivals.read_to_end or self._log.changed()):
            records = await self._log.take(self._taken, BATCH_INPUTS_MAX)
            to_end = len(records) < BATCH_INPUTS_MAX
            arrivals.put(map(self._read, records), read_to_end=to_end)
            if records:
                self._taken = records[-1].number
        else:
            heard = None  # the intake was not read to an end that is later than the timer
        inputs = arrivals.take(BATCH_INPUTS_MAX)
        if heard is not None and arrivals.empty:
            inputs += await self._fire(now, heard)
        for _ in range(min(len(self._to_wake), WAKES_PER_TURN)):
            inputs.append(self._to_wake.popleft())
        return inputs

    async def _heard(self, now: datetime) -> datetime | None:
        """Where something is due: up to when gates may expire, if the intake is read now as well.

        None too while none may, and it was looked for retries a moment ago.
        """
        if self._next_due is None or now < self._next_due:
            return None
        heard = self._log.heard(self._next_due, now)  # first: what is passed on comes to the intake
        if heard < self._next_due:
            now_s = self._clock.monotonic_s()
            if now_s < self._unheard_from_s:
                return None
            self._unheard_from_s = now_s + RETRY_DUE_S
        return heard if await self._log.caught_up() else None

    async def _fire(self, now: datetime, heard: datetime) -> list[Input]:
        """What was due before the end of the intake was read: who came in time has been heard.

        Gates expire up to `heard`; where none does, what is due later may be a step's next attempt.
        """
        run_ids = await self._due(heard, BATCH_INPUTS_MAX)
        self._fired = bool(run_ids)
        if not run_ids and self._next_due is not None and heard < self._next_due:
            run_ids = await self._due(now, UNHEARD_RUNS)
        if not run_ids:
            self._next_due = await self._next()
        return [Due(run_id=run_id, until=heard) for run_id in run_ids]

    async def _due(self, until: datetime, limit: int) -> Sequence[RunId]:
        if self._tools.only is None:
            return await self._log.due(until, limit)
        return [run_id for run_id, due in self._dues.items() if due <= until]

    async def _next(self) -> datetime | None:
        if self._tools.only is None:
            return await self._log.next_due()
        return min(self._dues.values(), default=None)

    async def _turn(self, inputs: list[Input], steps: Bench) -> None:
        engine = self._engine
        inputs = [engine.claimed(e) if isinstance(e, Submission) else e for e in inputs]
        missing = engine.missing(inputs)
        if missing:
            loaded = await self._log.load(missing)
            held = await blobs_of(loaded.values(), self._tools.codec, self._tools.blobs)
            engine.admit(loaded, self._tools.codec, held)
        with outside_of_tasks():
            turn = engine.take(inputs, self._clock.now())
        began_s = self._clock.monotonic_s()
        with ExitStack() as undo:
            undo.callback(engine.drop)  # the outcome is unknown then; the log knows
            if not turn.empty:
                await store_blobs(turn.batch.events, self._tools.blobs)
                await self._log.append(turn.batch)
            undo.pop_all()
        self._queue.extendleft(reversed(turn.deferred))
        for start in turn.starts:
            steps.begin(start, began_s)
        steps.recorded(turn.reports)
        self._observer.committed(turn, self._clock.monotonic_s() - began_s)
        for run_id, error in turn.faults:
            if isinstance(error, CorruptLog):
                raise error
            self._observer.fault(run_id, error)
        await self._follow(turn)

    async def _follow(self, turn: Turn) -> None:
        for ticket, answer in turn.answers:
            waiter = self._tickets.pop(ticket)
            run_id = answer.run_id
            if run_id is not None and run_id in turn.touched and self._waits_for_rest(answer):
                self._waiters.add(run_id, waiter, answer)
            elif not waiter.done():
                waiter.set_result((answer, None))
        now = self._clock.now()
        for run_id, position in turn.touched.items():
            overdue = position.due is not None and position.due <= now
            if run_id in self._waiters and not overdue and not self._draining:  # timers come first
                active = self._engine.look(run_id)
                standing = None if active is None else active.rest()
                if active is not None and standing is not None:
                    rest = None if active.trimmed else (tuple(active.events), standing)
                    self._waiters.resolve(run_id, rest)
            self._schedule(run_id, position.due)
        if self._fired:
            await self._fired_out(turn)
        self._engine.settle()

    def _waits_for_rest(self, answer: Answer) -> bool:
        """A refusal is told at once; but who owns the log for one run alone takes that along first.

        Else a decision typed again after a crash would begin the run's step, and end the process.
        """
        return answer.reason is None or self._tools.only is not None

    def _schedule(self, run_id: RunId, due: datetime | None) -> None:
        only = self._tools.only
        if only is not None:
            self._dues.pop(run_id, None)
            if due is not None and run_id in only:
                self._dues[run_id] = due
            self._next_due = min(self._dues.values(), default=None)
        elif due is not None:
            self._next_due = min(due, self._next_due or due)

    async def _fired_out(self, turn: Turn) -> None:
        """Timers were fired: when is the next? One that changed nothing must not make us spin."""
        self._fired = False
        self._next_due = await self._next()
        if self._next_due is not None and not turn.batch.events:
            pause = self._clock.now() + timedelta(seconds=RETRY_DUE_S)
            self._next_due = max(self._next_due, pause)
