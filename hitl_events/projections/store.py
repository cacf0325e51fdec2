"""What whoever folds asks of the place where the rows are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from hitl_events.domain.values import RunId, value
from hitl_events.projections.rows import Rows


@value
class Proof:
    """An event that was folded: a log that has another one there is not the log that was folded."""

    partition: int
    offset: int
    value: bytes | None


@value
class Tenure:
    """The right to write a partition from `next_offset` on, until somebody else takes it over.

    `last` is the event with which the fold ended and stands at `last_offset`. Where nothing of the
    partition was folded, `beside` is the last of another one, if any was.
    """

    partition: int
    epoch: int
    next_offset: int = 0
    last_offset: int | None = None
    last: bytes | None = None
    beside: Proof | None = None

    @property
    def proof(self) -> Proof | None:
        """What must stand in the log; None where nothing was folded yet."""
        if self.last_offset is None:
            return self.beside
        return Proof(partition=self.partition, offset=self.last_offset, value=self.last)


class RowStore(Protocol):
    """Rows, and how far each partition is folded, changed together."""

    def take_over(self, partition: int) -> Tenure:
        """Fence whoever wrote this partition; where the fold goes on."""
        ...

    def load(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Sequence[bytes]]:
        """The values of all events of each run that is there, seq 1 first."""
        ...

    def write(self, tenure: Tenure, rows: Rows, next_offset: int, last_offset: int) -> Tenure:
        """All of it and the new offset, or nothing; `Fenced` if another took the partition over.

        `last_offset` is where the last event of the rows stands.
        """
        ...
