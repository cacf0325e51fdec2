"""Lengths of time as people write them: seconds, or `90s`, `15m`, `2h`, `7d`."""

from __future__ import annotations

import re
from datetime import timedelta

from hitl_events.errors import InvalidInput
from hitl_services.text import quoted

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)([smhd]?)")
_UNITS = {"": "seconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str, name: str) -> timedelta:
    """The length; `InvalidInput` names the option or variable it was given as."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        wanted = f"expected seconds or a duration such as 90s, 15m, 2h or 7d as {name}"
        raise InvalidInput(f"{wanted}, found {quoted(text)}")
    return timedelta(**{_UNITS[found[2]]: float(found[1])})
