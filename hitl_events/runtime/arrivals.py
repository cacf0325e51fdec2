"""What waits to be ruled on: the owner's own calls and reports, and records of the intake."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime

from hitl_events.domain.refusals import Refused
from hitl_events.engine.inputs import Input, StepReport, Submission

_AT_ONCE = datetime.min.replace(tzinfo=UTC)


class Arrivals:
    """Gives inputs in the order of their arrival, whichever way they came.

    A late decision fires the timer of its gate, so it must not pass one that arrived before it:
    neither an own call a record of the intake, nor the other way round.
    """

    def __init__(self) -> None:
        self.own: deque[Input] = deque()
        self._records: deque[Submission] = deque()
        self.read_to_end = False
        """False while the intake may hold records that arrived before now."""

    @property
    def wants_records(self) -> bool:
        """True where the records that were read are used up."""
        return not self._records

    @property
    def empty(self) -> bool:
        """True where nothing waits, as far as the intake was read."""
        return not self.own and not self._records and self.read_to_end

    def put(self, records: Iterable[Submission], *, read_to_end: bool) -> None:
        """Records of the intake, in its order."""
        self._records.extend(records)
        self.read_to_end = read_to_end

    def take(self, limit: int) -> list[Input]:
        """The next inputs, at most `limit`."""
        own, records = self.own, self._records
        taken: list[Input] = []
        while len(taken) < limit:
            if records and (not own or _arrival(records[0]) <= _arrival(own[0])):
                taken.append(records.popleft())
            elif own and (records or self.read_to_end):
                taken.append(own.popleft())
            else:
                break
        # Before these are used up more may arrive, which must not be passed then.
        self.read_to_end = self.read_to_end and not records
        return taken

    def take_reports(self) -> list[Input]:
        """The ends of steps alone, where nothing else is to be ruled on any more."""
        waiting = list(self.own)
        self.own.clear()
        self.own.extend(entry for entry in waiting if not isinstance(entry, StepReport))
        return [entry for entry in waiting if isinstance(entry, StepReport)]


def _arrival(entry: Input) -> datetime:
    if not isinstance(entry, Submission) or isinstance(entry.command, Refused):
        return _AT_ONCE
    return entry.command.origin.arrived_at
