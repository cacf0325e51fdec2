"""One run as its events come in: what is known of it, and whether it is at rest."""

from __future__ import annotations

from uuid import UUID

from hitl_events.domain.events import Event
from hitl_events.domain.evolve import evolve
from hitl_events.domain.state import RunState, status
from hitl_events.errors import CorruptLog
from hitl_events.ports import Codec

_CLOCKS_APART_MS = 10 * 60 * 1000
"""How much the clock that made a run's id may be ahead of that which stamps its events."""
_TIMED_VERSION = 7


class History:
    """Give it the run's records in the order of the topic; `is_cut` if it does not begin with 1."""

    def __init__(self, codec: Codec) -> None:
        self.events: list[Event] = []
        self.is_cut = False
        self._codec = codec
        self._run: RunState | None = None

    def add(self, value: bytes | None) -> None:
        """The next event; `CorruptLog` for what is none, `ImpossibleHistory` for a wrong one."""
        if value is None:
            raise CorruptLog("the topic of events", "expected an event, found no value")
        event = self._codec.decode(value)
        self.is_cut = self.is_cut or (self._run is None and event.seq > 1)
        if self.is_cut:
            return
        self._run = evolve(self._run, event)
        self.events.append(event)

    def rests(self, seq: int) -> bool:
        """Whether event `seq` is there and, by the events, nothing goes on after the last."""
        run = self._run
        return run is not None and run.seq >= seq and status(run) != "running"


def not_before_ms(run_id: str) -> int | None:
    """A time before which no event of the run can be: the ids that we make begin with theirs.

    Only a hint, because anybody may choose an id: what is found from it on must begin with event 1.
    """
    try:
        made = UUID(run_id)
    except ValueError:
        return None
    return max((made.int >> 80) - _CLOCKS_APART_MS, 0) if made.version == _TIMED_VERSION else None
