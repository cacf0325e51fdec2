"""What a check found: counts and problems, in the JSON of `hitl verify`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hitl_events.domain.values import value

PROBLEMS_MAX = 10_000
"""Problems kept of one check: some 2 MB. Who has more needs a backup, not a longer list."""


@value
class Problem:
    """One thing that is wrong; `run_id` and `seq` say where, as far as that can be told."""

    run_id: str | None
    seq: int | None
    problem: str


@value
class VerifyReport:
    """How much was checked, and every independent damage in the order in which it was met."""

    runs: int
    events: int
    errors: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """True where nothing is wrong."""
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        """`{runs, events, errors: [{run_id, seq, problem}]}`."""
        errors = [
            {"run_id": each.run_id, "seq": each.seq, "problem": each.problem}
            for each in self.errors
        ]
        return {"runs": self.runs, "events": self.events, "errors": errors}


class Problems:
    """Collects problems; those beyond `PROBLEMS_MAX` are only counted."""

    __slots__ = ("_found", "_more")

    def __init__(self) -> None:
        self._found: list[Problem] = []
        self._more = 0

    def add(self, run_id: str | None, seq: int | None, problem: str) -> None:
        """Take one down."""
        if len(self._found) < PROBLEMS_MAX:
            self._found.append(Problem(run_id=run_id, seq=seq, problem=problem))
        else:
            self._more += 1

    def __len__(self) -> int:
        return len(self._found) + self._more

    @property
    def kept(self) -> Sequence[Problem]:
        """Those that were taken down."""
        return self._found

    def skip(self, more: int) -> None:
        """So many more were found where nobody kept them."""
        self._more += more

    def all(self) -> tuple[Problem, ...]:
        """Those kept, and one that says how many are not."""
        if not self._more:
            return tuple(self._found)
        rest = f"and {self._more} more problems, which are not listed"
        return (*self._found, Problem(run_id=None, seq=None, problem=rest))
