"""The account of a run: its ledger, its steps and its events, and what of it is not written yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hitl_events.domain.events import (
    DecisionReceived,
    Event,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from hitl_events.domain.state import StepKey, status
from hitl_events.domain.values import digest, micros
from hitl_events.projections.attempts import AttemptRow
from hitl_events.projections.decisions import DecisionRow
from hitl_events.projections.ledger import Ledger
from hitl_events.projections.pauses import PauseRow
from hitl_events.projections.rows import EventRow, Rows
from hitl_events.projections.runs import RunRow, run_row
from hitl_events.projections.steps import StepEvent, step_row

_STEPS = (StepCompleted, StepStarted, StepFailed)


class Account:
    """The rows of one run. Give it the events in the order of seq, then `settle` what changed."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._ledger = Ledger()
        self._steps: dict[StepKey, StepEvent] = {}
        self._changed_steps: set[StepKey] = set()
        self._gates: dict[int, PauseRow] = {}
        self._own: list[DecisionRow | AttemptRow] = []
        self._events: list[EventRow] = []
        self._before: tuple[str, int] | None = None

    @property
    def seq(self) -> int:
        """The last event that it has; 0 before the first."""
        run = self._ledger.run
        return 0 if run is None else run.seq

    @property
    def ended(self) -> bool:
        """Whether little is to come: of an ended run only what is refused."""
        run = self._ledger.run
        return run is not None and run.ended

    def add(self, event: Event, value: bytes) -> EventRow:
        """The next event and its bytes; `ImpossibleHistory` for one that does not fit."""
        for row in self._ledger.add(event):
            if isinstance(row, PauseRow):
                self._gates[row.seq] = row
            else:
                self._own.append(row)
        if isinstance(event, _STEPS):
            key = event.kind, event.step, event.occurrence
            self._steps[key] = event
            self._changed_steps.add(key)
        elif isinstance(event, DecisionReceived):
            self._ask_again(event)
        self.size_bytes += len(value)
        kind = type(event).__name__
        recorded = EventRow(event.run_id, event.seq, kind, micros(event.recorded_at), value)
        self._events.append(recorded)
        return recorded

    def settle(self, rows: Rows) -> None:
        """Move what changed since the last call into `rows`."""
        run = self._ledger.run
        if run is None or not self._events:
            return
        self._count(rows)
        row = run_row(run, digest(self._events[-1].value))
        rows.runs.append(row)
        rows.events += self._events
        rows.gates += self._gates.values()
        for key in self._changed_steps:
            rows.steps.append(step_row(self._steps[key], run.steps[key]))
        for own in self._own:
            if isinstance(own, DecisionRow):
                rows.decisions.append(own)
            else:
                rows.attempts.append(own)
        self._tally(row, rows)
        self._forget()

    def resumed(self) -> None:
        """What it was given so far is written already."""
        run = self._ledger.run
        if run is not None:
            self._before = status(run), len(run.pending)
        self._forget()

    def _forget(self) -> None:
        self._events = []
        self._gates = {}
        self._own = []
        self._changed_steps = set()

    def _ask_again(self, event: DecisionReceived) -> None:
        """A reconcile gate may let its step be tried again: that changes the step's row."""
        run = self._ledger.run
        assert run is not None, "it has this event"
        about = run.gates[event.gate, event.occurrence].paused.about
        if about is not None:
            key = "step", about.step, about.occurrence
            if key in self._steps:
                self._changed_steps.add(key)

    def _count(self, rows: Rows) -> None:
        for own in self._own:
            result = "received" if isinstance(own, DecisionRow) else own.reason
            rows.counters["decisions", result] += 1

    def _tally(self, row: RunRow, rows: Rows) -> None:
        """Runs by their status, and open gates: what it adds, what it takes away."""
        before, now = self._before, (row.status, row.open_gates)
        if before == now:
            return
        if before is not None:
            rows.counters["runs", before[0]] -= 1
        rows.counters["runs", now[0]] += 1
        rows.counters["gates", "open"] += now[1] - (0 if before is None else before[1])
        self._before = now


def account_of(events: Iterable[tuple[Event, bytes]]) -> Rows:
    """All rows of a run."""
    account, rows = Account(), Rows()
    for event, value in events:
        account.add(event, value)
    account.settle(rows)
    count_events(rows)
    return rows


def count_events(rows: Rows) -> None:
    """Add the events to the counters, all of them at once."""
    for kind, count in Counter([row.type for row in rows.events]).items():
        rows.counters["events", kind] += count
