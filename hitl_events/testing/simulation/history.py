"""What happened in a world, kept cheaply and put into words only when somebody wants to read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hitl_events.domain.events import Event
from hitl_events.domain.values import value
from hitl_events.ports import Codec

_SHOWN = (
    "step",
    "gate",
    "occurrence",
    "kind",
    "attempt",
    "verdict",
    "decision_id",
    "reason",
    "winner_decision_id",
    "expires_at",
    "retry_at",
    "code",
    "message",
    "result",
    "output",
)
"""Fields of events that a reader of a failure looks for."""


@value
class _Said:
    what: str
    about: tuple[object, ...]


class History:
    """Lines of what was done, and the bytes that were written."""

    def __init__(self) -> None:
        self._told: list[_Said | list[bytes]] = []

    def say(self, what: str, *about: object) -> None:
        """Something happened."""
        self._told.append(_Said(what=what, about=about))

    def wrote(self, values: Sequence[bytes]) -> None:
        """Events became durable."""
        if values:
            self._told.append(list(values))

    def lines(self, codec: Codec) -> Iterator[str]:
        """The history as text."""
        for told in self._told:
            if isinstance(told, _Said):
                yield " ".join((told.what, *map(str, told.about)))
            else:
                yield from (f"  log: {_line(codec.decode(each))}" for each in told)


def _line(event: Event) -> str:
    held = {name: getattr(event, name, None) for name in _SHOWN}
    told = [f"{name}={each}" for name, each in held.items() if each is not None]
    at = f"{event.recorded_at:%H:%M:%S.%f}"
    return " ".join((event.run_id, str(event.seq), at, type(event).__name__, *told))
