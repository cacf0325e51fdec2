"""The engine of one partition: decoded inputs in, one batch of effects out. No I/O, no clock.

State is changed in place, as coroutines can not be copied; therefore a batch whose commit failed is
followed by `drop`, and everything is read again from the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from hitl_events.domain.commands import Decide, StartRun, StepReported, UnblockRun
from hitl_events.domain.decide import rejection_of
from hitl_events.domain.events import DecisionRejected, Event
from hitl_events.domain.process import Ruling, process
from hitl_events.domain.refusals import Refused, Rejection, Repeat
from hitl_events.domain.state import StepKey, under_way
from hitl_events.domain.values import EPOCH, RunId, maker
from hitl_events.engine.active import ActiveRun
from hitl_events.engine.drive import Drive
from hitl_events.engine.inputs import (
    Due,
    Input,
    StepReport,
    StepStart,
    Submission,
    Wake,
    run_of,
)
from hitl_events.engine.tools import Tools
from hitl_events.engine.turn import Turn
from hitl_events.ports import Answer, Codec, DeadLetter, Forward

CACHED_RUNS_MAX = 512
"""Runs kept in memory between turns. About 10 KB each with their coroutines, so 5 MB."""

INPUT_BYTES_MAX = 256 * 1024

_new_answer = maker(Answer)


class Engine:
    """Decides for every run of its partition, one input at a time, in the order they come."""

    def __init__(self, tools: Tools, *, cached_runs_max: int = CACHED_RUNS_MAX) -> None:
        self._tools = tools
        self._cached_runs_max = cached_runs_max
        self._runs: dict[RunId, ActiveRun] = {}
        self._still_running: dict[RunId, dict[StepKey, int]] = {}
        self._faulty: dict[RunId, str] = {}
        self._now = EPOCH
        self._turn = Turn()
        self._drive = Drive(tools)

    # what the shell calls, in this order

    def claimed(self, entry: Submission) -> Submission:
        """The submission with what its token says, where the MAC holds."""
        command = entry.command
        if not isinstance(command, Decide) or command.claim is not None:
            return entry
        claim = self._tools.keys.read(command.token)
        return replace(entry, command=replace(command, claim=claim))

    def missing(self, inputs: Iterable[Input]) -> set[RunId]:
        """The runs that these inputs need and that are not in memory."""
        wanted = {run_of(entry) for entry in inputs}
        return {run_id for run_id in wanted if run_id is not None and self._is_wanting(run_id)}

    def _is_wanting(self, run_id: RunId) -> bool:
        """Not in memory, or without a blob that may be back by now."""
        held = self._runs.get(run_id)
        return held is None or (held.lacks is not None and not held.running)

    def _elsewhere(self, entry: Submission) -> int | None:
        """The partition in which its run lives, where that is another one than ours."""
        place = self._tools.place
        run_id = run_of(entry) if place is not None else None
        if place is None or run_id is None:
            return None
        found = place(run_id)
        return None if found == self._tools.partition else found

    def admit(
        self,
        loaded: Mapping[RunId, Sequence[bytes]],
        codec: Codec,
        blobs: Mapping[bytes, bytes] | None = None,
    ) -> None:
        """Take in what the log holds of runs, and of their blobs, by digest, those there are."""
        for run_id, values in loaded.items():
            active = ActiveRun(run_id)
            active.restore(values, codec, blobs)
            active.running = self._steps_of(active)
            self._runs[run_id] = active

    def adopt(self, run_id: RunId, key: StepKey, attempt: int) -> None:
        """That attempt is under way in this process since before it owned the partition (again).

        To be called before its run is admitted; it has no effect where the log knows better.
        """
        self._still_running.setdefault(run_id, {})[key] = attempt

    def _steps_of(self, active: ActiveRun) -> dict[StepKey, int]:
        running = self._still_running.pop(active.run_id, {})
        run = active.state
        return {
            key: attempt
            for key, attempt in running.items()
            if run is not None and under_way(run, key, attempt)
        }

    def take(self, inputs: Iterable[Input], now: datetime) -> Turn:
        """Rule on the inputs in order; nothing of it is true before `batch` is written."""
        turn = self._turn = Turn(self._tools.partition)
        self._now = now
        tainted: set[RunId] = set()
        for entry in inputs:
            run_id = run_of(entry)
            if run_id is not None and run_id in tainted:
                turn.deferred.append(entry)
                continue
            held = self._runs.get(run_id) if run_id is not None else None
            running = held.running.copy() if held is not None and held.running else None
            try:
                self._one(entry, run_id)
            except Exception as error:  # noqa: BLE001 - one run's fault must not reach its neighbours (P10)
                self._fault(entry, run_id, error, running or {})
                if run_id is not None:
                    tainted.add(run_id)
        turn.batch.positions.extend(turn.changed.values())
        return turn

    def settle(self) -> None:
        """The batch is durable: forget what need not be remembered."""
        for run_id in self._turn.touched:
            active = self._runs.get(run_id)
            if active is not None and active.run.ended and not active.trimmed:
                self._runs.pop(run_id).forget_driver()
        surplus = len(self._runs) - self._cached_runs_max
        if surplus > 0:
            idle = (run_id for run_id, held in self._runs.items() if not held.running)
            for run_id in list(islice(idle, surplus)):  # the first suffice: no look at all of them
                self._runs.pop(run_id).forget_driver()
        self._turn = Turn()

    def rest(self) -> None:
        """From now on record what comes in and begin nothing: the next owner goes on with it."""
        self._drive.resting = True

    @property
    def has_running_steps(self) -> bool:
        """True while a step that was started has not reported."""
        return any(active.running for active in self._runs.values()) or bool(self._still_running)

    def drop(self) -> None:
        """The outcome of the last batch is unknown: forget everything, the log knows."""
        for active in self._runs.values():
            active.forget_driver()
        self._runs.clear()
        self._still_running.clear()

    def look(self, run_id: RunId) -> ActiveRun | None:
        """A run in memory, to read."""
        return self._runs.get(run_id)

    # one input

    def _one(self, entry: Input, run_id: RunId | None) -> None:
        active = self._runs.get(run_id) if run_id is not None else None
        if active is not None and run_id is not None:
            self._runs[run_id] = self._runs.pop(run_id)  # the last used is evicted last
        match entry:
            case Submission():
                self._submission(entry, active)
            case StepReport():
                if active is not None:
                    self._turn.reports.append(entry)
                    self._append(active, self._drive.report(active, entry, self._now))
            case Due():
                if active is not None:
                    self._append(active, self._drive.due(active, entry.until, self._now))
            case Wake():
                if active is not None:
                    self._wake(active)
                    if entry.found_busy:
                        self._correct(active)

    def _correct(self, active: ActiveRun) -> None:
        position = self._turn.touched.get(active.run_id)
        if position is not None and not position.busy and position.ended is None:
            self._turn.changed[active.run_id] = position

    def _wake(self, active: ActiveRun) -> None:
        fault = self._faulty.get(active.run_id)
        if fault is None:
            self._append(active, self._drive.wake(active, self._now))
        elif fault:
            self._append(active, self._drive.fault(active, fault, self._now))
            del self._faulty[active.run_id]

    def _submission(self, entry: Submission, active: ActiveRun | None) -> None:
        command = entry.command
        if isinstance(command, Refused):
            self._refuse(entry, Rejection(reason=command.reason, message=command.message))
            return
        partition = self._elsewhere(entry)
        if partition is not None:
            self._pass_on(entry, partition)
            return
        state = active.state if active else None
        if isinstance(command, StartRun) and state is None:
            if self._is_others(entry, command):
                return
            refusal = self._start_problem(command)
            if refusal is not None:
                self._refuse(entry, refusal)
                return
            command = self._versioned(command)
            active = ActiveRun(command.run_id)
        if isinstance(command, Decide) and active is not None:
            problem = self._drive.data_problem(active, command)
            command = replace(command, data_problem=problem) if problem else command
        if isinstance(command, StepReported) and active is not None:
            command = replace(command, asked=self._drive.asks_for(active, command))
        ruling = process(state, command)
        if isinstance(ruling, tuple) and active is not None:
            self._runs[active.run_id] = active
            self._apply(entry, active, ruling)
        else:
            self._answer_without_event(entry, active, ruling)

    def _pass_on(self, entry: Submission, partition: int) -> None:
        """One hop: who forwarded it to us and we do not agree about the place of its run."""
        record = entry.record()
        if record.forwarded or entry.settles is None:
            ours = self._tools.partition
            message = (
                f"expected a run of partition {ours}, found one of {partition}, forwarded here"
            )
            self._refuse(entry, Rejection(reason="misrouted", message=message))
            return
        forward = Forward(number=entry.settles, record=record, partition=partition)
        self._turn.batch.forwards.append(forward)

    def _is_others(self, entry: Submission, command: StartRun) -> bool:
        """A start in the intake whose recipe a short-lived owner lacks waits for another owner."""
        if entry.settles is None or self._tools.only is None:
            return False
        return self._tools.recipes.find(command.recipe, command.version) is None

    def _start_problem(self, command: StartRun) -> Rejection | None:
        found = self._tools.recipes.find(command.recipe, command.version)
        if found is None:
            known = ", ".join(self._tools.recipes.known()) or "none"
            wanted = f"{command.recipe!r}" + (
                f" version {command.version!r}" if command.version else ""
            )
            message = f"expected a registered recipe, found {wanted}; registered: {known}"
            return Rejection(reason="unknown_recipe", message=message)
        if len(command.input) > INPUT_BYTES_MAX:
            message = (
                f"expected an input of at most {INPUT_BYTES_MAX} bytes, found {len(command.input)}"
            )
            return Rejection(reason="too_large", message=message)
        problem = found.input_problem(command.input)
        return Rejection(reason="invalid_command", message=problem) if problem else None

    def _versioned(self, command: StartRun) -> StartRun:
        found = self._tools.recipes.find(command.recipe, command.version)
        if found is not None:
            command.version = found.version  # type: ignore[misc]  # not yet seen by anybody else
        return command

    def _apply(self, entry: Submission, active: ActiveRun, events: tuple[Event, ...]) -> None:
        """Record what a command caused, drive the recipe on, and answer."""
        first = active.state.seq if active.state else 0
        if isinstance(entry.command, UnblockRun):
            starts = self._drive.unblock(active, self._now, entry.command)
        else:
            starts = self._drive.apply(active, events, self._now)
        if isinstance(entry.command, StepReported):
            self._do_not_begin(entry.command)
        self._append(active, starts)
        seq = min(first + len(events), active.run.seq)
        decided = events[-1] if events else None
        rejection = (
            rejection_of(active.run, decided) if isinstance(decided, DecisionRejected) else None
        )
        self._answer(entry, active.run_id, max(seq, 1), rejection)

    def _do_not_begin(self, command: StepReported) -> None:
        """It is over: should this very turn have begun it as well, it must not begin after all."""
        over = (command.run_id, (command.kind, command.step, command.occurrence), command.attempt)
        self._turn.starts = [
            start
            for start in self._turn.starts
            if (start.run_id, start.request.key, start.attempt) != over
        ]

    def _answer_without_event(
        self, entry: Submission, active: ActiveRun | None, ruling: Ruling
    ) -> None:
        if isinstance(ruling, Rejection):
            self._refuse(entry, ruling)
            return
        if active is None or not isinstance(ruling, Repeat):
            return
        self._answer(entry, active.run_id, ruling.seq, ruling.rejection)
        self._append(active, self._drive.wake(active, self._now))

    def _append(self, active: ActiveRun, starts: list[StepStart]) -> None:
        """Put the run's new events and steps into the batch, all of them at once."""
        turn = self._turn
        turn.starts += starts
        turn.states[active.run_id] = active.run
        turn.touched[active.run_id] = position = active.position()
        turn.gates += position.gates - active.gates
        active.gates = position.gates
        if active.unwritten:
            turn.batch.events.extend(active.unwritten)
            active.unwritten.clear()
            turn.changed[active.run_id] = position
        elif active.held_until is not None or any(start.attempt > 1 for start in starts):
            turn.changed[active.run_id] = position  # its timer is new or over, or it would be lost

    # answers

    def _answer(
        self, entry: Submission, run_id: RunId | None, seq: int | None, refusal: Rejection | None
    ) -> None:
        answer = _new_answer(
            run_id=run_id,
            seq=seq,
            reason=refusal.reason if refusal else None,
            message=refusal.message if refusal else "",
            winner=refusal.winner if refusal else None,
        )
        if entry.settles is not None:
            self._turn.batch.settled.append((entry.settles, answer))
        if entry.ticket:
            self._turn.answers.append((entry.ticket, answer))

    def _refuse(self, entry: Submission, refusal: Rejection) -> None:
        """A refusal that has no place in a run: the record is kept whole."""
        record = entry.record()
        self._turn.batch.dead_letters.append(
            DeadLetter(
                reason=refusal.reason,
                message=refusal.message,
                source=record.source,
                key=record.key,
                value=record.value,
                is_null=record.is_null,
                headers=record.headers,
                recorded_at=self._now,
            )
        )
        run_id = run_of(entry)
        known = run_id if run_id is not None and run_id in self._runs else None
        self._answer(entry, known, None, refusal)

    def _fault(
        self, entry: Input, run_id: RunId | None, error: Exception, running: dict[StepKey, int]
    ) -> None:
        """Processing raised: the record is a dead letter, the run is read again from the log.

        `running` are the steps that had begun before: the log does not know them.
        """
        self._turn.faults.append((run_id, error))
        held = self._runs.pop(run_id, None) if run_id is not None else None
        if held is not None:
            held.forget_driver()
        if isinstance(entry, StepReport):
            running.pop(entry.key, None)
        if run_id is not None and running:
            self._still_running[run_id] = running
        if isinstance(entry, Submission):
            message = f"expected to process the record, found {type(error).__name__} in the engine"
            self._refuse(entry, Rejection(reason="engine_error", message=message))
        elif run_id is not None:
            # It is blocked next, so that somebody hears of it; if that fails too, it is left alone.
            again = run_id in self._faulty
            self._faulty[run_id] = "" if again else type(error).__name__
            if not again:
                self._turn.deferred.append(Wake(run_id=run_id))
