"""Moments as people write them: a date, a time, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hitl_events.errors import InvalidInput
from hitl_services.durations import duration
from hitl_services.text import quoted

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    rf"{_DAY.pattern}[T ][0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:\.[0-9]{{1,6}})?)?"
    r"(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)
_AGO = re.compile(r"[0-9.]+[smhd]")
"""With its unit: a bare number could be a year."""


def moment(text: str, option: str, *, now: datetime, last: bool = False) -> datetime:
    """The aware UTC time; a time without a zone is UTC, a length (`7d`) counts back from `now`.

    A date is its first moment; with `last` the first one after it, so that a period has all of it.
    """
    held = text.strip()
    try:
        if _AGO.fullmatch(held):
            return now - duration(held, option)
        if _DAY.fullmatch(held):
            return _utc(held) + timedelta(days=1 if last else 0)
        if _TIME.fullmatch(held):
            return _utc(held)
    except (ValueError, OverflowError):  # the 31st of February, the year 0
        pass
    wanted = "a time such as 2026-01-31, 2026-01-31T12:00Z or (ago) 7d"
    raise InvalidInput(f"expected {wanted} as {option}, found {quoted(text)}")


def _utc(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
