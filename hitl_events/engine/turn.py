"""The effects of one turn of the engine, as data."""

from __future__ import annotations

from hitl_events.domain.values import RunId
from hitl_events.engine.inputs import Input, StepStart
from hitl_events.ports import Answer, EffectBatch, RunPosition


class Turn:
    """`batch` is to be written in one transaction; the rest is done after it, never before."""

    __slots__ = ("answers", "batch", "changed", "deferred", "faults", "starts", "touched")

    def __init__(self) -> None:
        self.batch = EffectBatch()
        self.starts: list[StepStart] = []
        self.answers: list[tuple[int, Answer]] = []
        self.changed: dict[RunId, RunPosition] = {}
        self.touched: dict[RunId, RunPosition] = {}
        self.deferred: list[Input] = []
        self.faults: list[tuple[RunId | None, Exception]] = []

    @property
    def empty(self) -> bool:
        """True where there is nothing to write."""
        return not self.batch
