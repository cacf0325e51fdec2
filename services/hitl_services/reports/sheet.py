"""What a report of decisions is written as: a head, something for each round, a foot.

One round after the other, so that a report of any length takes the memory of one run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from hitl_events.domain.values import value
from hitl_events.projections.selection import Decided
from hitl_services.text import counted


@value
class Tally:
    """How much was listed."""

    decisions: int = 0
    attempts: int = 0

    def plus(self, decided: Decided) -> Tally:
        """With the entries of one more round."""
        return Tally(
            decisions=self.decisions + len(decided.decisions),
            attempts=self.attempts + len(decided.attempts),
        )

    def __str__(self) -> str:
        attempts = counted(self.attempts, "refused attempt")
        return f"{counted(self.decisions, 'decision')}, {attempts}"


class Sheet(Protocol):
    """One format."""

    def head(self) -> str:
        """What comes before all rounds."""
        ...

    def lines(self, decided: Decided) -> Iterator[str]:
        """The text of one round, its line ends included."""
        ...

    def foot(self, tally: Tally) -> str:
        """What comes after all rounds."""
        ...
