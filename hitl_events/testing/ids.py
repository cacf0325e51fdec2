"""Ids that are the same in every run of a test."""

from __future__ import annotations

from collections.abc import Callable

from hitl_events.adapters.system import SystemIds
from hitl_events.domain.values import DecisionId, RunId


class CountedIds(SystemIds):
    """Ids that count: `prefix` and 1, 2, ...; `seed` makes the seeds of runs."""

    def __init__(self, seed: Callable[[], bytes], prefix: str = "id-") -> None:
        super().__init__()
        self._seed = seed
        self._prefix = prefix
        self._made = 0

    def seed(self) -> bytes:
        """16 bytes."""
        return self._seed()

    def command_id(self) -> str:
        """The next one."""
        self._made += 1
        return f"{self._prefix}{self._made}"

    def decision_id(self) -> DecisionId:
        """The next one."""
        return DecisionId(self.command_id())

    def run_id(self) -> RunId:
        """The next one; whatever the prefix, it is a run id."""
        self._made += 1
        return RunId(f"run-{self._made}")
