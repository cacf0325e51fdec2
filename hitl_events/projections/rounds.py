"""Rounds of gates by the name that people give them: `NAME`, the latest, or `NAME:ROUND`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hitl_events.domain.events import Event, GatePaused
from hitl_events.errors import InvalidInput

_ROUND = re.compile(r"[0-9]{1,9}")
_LISTED_MAX = 10


def round_named(events: Sequence[Event], named: str) -> GatePaused:
    """The pause that is meant; a gate may itself have a colon in its name, so whole names win.

    `InvalidInput` lists the rounds that there are.
    """
    pauses = [event for event in events if isinstance(event, GatePaused)]
    whole = [pause for pause in pauses if pause.gate == named]
    if whole:
        return max(whole, key=lambda pause: pause.occurrence)
    gate, _, nth = named.rpartition(":")
    if _ROUND.fullmatch(nth):
        for pause in pauses:
            if (pause.gate, pause.occurrence) == (gate, int(nth)):
                return pause
    listed = [f"{pause.gate}:{pause.occurrence}" for pause in pauses]
    there = ", ".join(listed[:_LISTED_MAX]) or "none"
    more = f" and {len(listed) - _LISTED_MAX} more" if len(listed) > _LISTED_MAX else ""
    raise InvalidInput(f"expected a gate of this run ({there}{more}), found {named!r}")
