"""The effects of one turn of the engine, as data."""

from __future__ import annotations

from hitl_events.domain.state import RunState
from hitl_events.domain.values import RunId
from hitl_events.engine.inputs import Input, StepReport, StepStart
from hitl_events.ports import Answer, EffectBatch, RunPosition


class Turn:
    """`batch` is to be written in one transaction; the rest is done after it, never before.

    For whoever observes: the `partition`, `reports` of steps, by how many more gates are open after
    it than before (`gates`), and the `states` after it of the runs it touched, to read.
    """

    __slots__ = (
        "answers",
        "batch",
        "changed",
        "deferred",
        "faults",
        "gates",
        "partition",
        "reports",
        "starts",
        "states",
        "touched",
    )

    def __init__(self, partition: int = 0) -> None:
        self.partition = partition
        self.batch = EffectBatch()
        self.starts: list[StepStart] = []
        self.answers: list[tuple[int, Answer]] = []
        self.changed: dict[RunId, RunPosition] = {}
        self.touched: dict[RunId, RunPosition] = {}
        self.deferred: list[Input] = []
        self.faults: list[tuple[RunId | None, Exception]] = []
        self.reports: list[StepReport] = []
        self.gates = 0
        self.states: dict[RunId, RunState] = {}

    @property
    def empty(self) -> bool:
        """True where there is nothing to write."""
        return not self.batch
