"""What a piece of the log changes in the read model, gathered: the last form of each row."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from hitl_events.domain.values import RunId
from hitl_events.projections.attempts import AttemptRow
from hitl_events.projections.decisions import DecisionRow
from hitl_events.projections.pauses import PauseRow
from hitl_events.projections.runs import RunRow
from hitl_events.projections.steps import StepRow

CounterKey = tuple[str, str]
"""What is counted, and its label: ("events", "GatePaused"), ("decisions", "token_used")."""


class EventRow(NamedTuple):
    """One event as it is recorded: the trace, the drafts and every outcome are read from these."""

    run_id: RunId
    seq: int
    type: str
    at_us: int
    value: bytes


@dataclass(slots=True, kw_only=True)
class Rows:
    """To be written together. Rows of one key stand once; `counters` are to be added.

    `last` is the last event of the piece, in the order of the log.
    """

    events: list[EventRow] = field(default_factory=list[EventRow])
    runs: list[RunRow] = field(default_factory=list[RunRow])
    steps: list[StepRow] = field(default_factory=list[StepRow])
    gates: list[PauseRow] = field(default_factory=list[PauseRow])
    decisions: list[DecisionRow] = field(default_factory=list[DecisionRow])
    attempts: list[AttemptRow] = field(default_factory=list[AttemptRow])
    counters: Counter[CounterKey] = field(default_factory=Counter[CounterKey])
    last: EventRow | None = None
