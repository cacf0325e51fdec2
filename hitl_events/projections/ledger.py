"""The ledger of a run: what its events add to the rows, and which rows they change.

It holds the state of the run (`evolve`) and asks that what is open, so a row can not tell another
story than an outcome does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from hitl_events.domain.events import (
    CancelRequested,
    DecisionReceived,
    DecisionRejected,
    Event,
    GateClosed,
    GatePaused,
    RunFailed,
)
from hitl_events.domain.evolve import evolve
from hitl_events.domain.state import GateState, RunState
from hitl_events.projections.attempts import AttemptRow, attempt_row
from hitl_events.projections.decisions import DecisionRow, decision_row
from hitl_events.projections.pauses import PauseRow, closing_of, pause_row

Row: TypeAlias = PauseRow | DecisionRow | AttemptRow
"""Its key is (run, seq): of a pause the event that opened it, else the event that it is."""

_CLOSING: frozenset[type[Event]] = frozenset(
    {DecisionReceived, GateClosed, CancelRequested, RunFailed}
)
_TELLING: frozenset[type[Event]] = _CLOSING | {GatePaused, DecisionRejected}
"""Most events tell nothing of gates: asking this first halves the price of a fold."""


class Ledger:
    """The rows of one run, told of its events in the order of seq; owned by whoever folds.

    It keeps a run's pauses, not its decisions and attempts: those never change.
    """

    def __init__(self) -> None:
        self._run: RunState | None = None
        self._pauses: dict[tuple[str, int], PauseRow] = {}

    def add(self, event: Event) -> tuple[Row, ...]:
        """The rows that the event adds or replaces; `ImpossibleHistory` as `evolve` raises it."""
        kind = type(event)
        was_open = tuple(self._run.pending.values()) if self._run and kind in _CLOSING else ()
        run = self._run = evolve(self._run, event)
        if kind not in _TELLING:
            return ()
        closed = [gate for gate in was_open if gate.paused.seq not in run.pending]
        return (*self._own(run, event), *self._closed(run, closed, event))

    @property
    def run(self) -> RunState | None:
        """The state after the last event; None before the first. To look at, not to change."""
        return self._run

    @property
    def pauses(self) -> tuple[PauseRow, ...]:
        """All rounds of all gates as they stand, in the order in which they opened."""
        return tuple(self._pauses.values())

    def _own(self, run: RunState, event: Event) -> Iterator[Row]:
        match event:
            case GatePaused():
                row = self._pauses[event.gate, event.occurrence] = pause_row(run.started, event)
                yield row
            case DecisionReceived():
                pause = self._pauses[event.gate, event.occurrence]
                yield decision_row(run.started, pause, event)
            case DecisionRejected():
                yield attempt_row(run.started, self._named_by(event), event)
            case _:
                pass

    def _named_by(self, event: DecisionRejected) -> PauseRow | None:
        if event.gate is None or event.occurrence is None:
            return None
        return self._pauses.get((event.gate, event.occurrence))

    def _closed(
        self, run: RunState, closed: Iterable[GateState], event: Event
    ) -> Iterator[PauseRow]:
        for gate in closed:
            key = gate.paused.gate, gate.paused.occurrence
            row = pause_row(run.started, gate.paused, gate.status, closing_of(event))
            self._pauses[key] = row
            yield row


def rows_of(events: Iterable[Event]) -> dict[int, Row]:
    """The rows of a run by their seq, in its order, as they stand after the last of the events."""
    ledger = Ledger()
    return {row.seq: row for event in events for row in ledger.add(event)}
