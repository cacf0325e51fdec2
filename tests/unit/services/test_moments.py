"""Moments as people type them."""

from datetime import UTC, datetime, timedelta

import pytest

from hitl_events.errors import InvalidInput
from hitl_services.moments import moment

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:30", datetime(2026, 1, 31, 12, 30, tzinfo=UTC)),
        ("2026-01-31 12:30:05.25", datetime(2026, 1, 31, 12, 30, 5, 250_000, tzinfo=UTC)),
        ("2026-01-31T12:30:05.000001Z", datetime(2026, 1, 31, 12, 30, 5, 1, tzinfo=UTC)),
        ("2026-01-31T12:30+02:00", datetime(2026, 1, 31, 10, 30, tzinfo=UTC)),
        ("7d", NOW - timedelta(days=7)),
        (" 90s ", NOW - timedelta(seconds=90)),
    ],
)
def test_a_moment_is_a_date_a_time_or_how_long_ago(text: str, at: datetime) -> None:
    """Times without a zone are UTC; every result is UTC."""
    found = moment(text, "--since", now=NOW)

    assert (found, found.tzinfo) == (at, UTC)


def test_a_period_has_all_of_its_last_day() -> None:
    """A date ends a period after it, a time at that time."""
    day = moment("2026-01-31", "--until", now=NOW, last=True)
    noon = moment("2026-01-31T12:00Z", "--until", now=NOW, last=True)

    assert (day, noon) == (
        datetime(2026, 2, 1, tzinfo=UTC),
        datetime(2026, 1, 31, 12, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026",
        "90",
        "2026-02-31",
        "0000-01-01",
        "9999-12-31",
        "2026-01-31T25:00",
        "2026-1-1",
        "0001-01-01T00:00+12:00",
        "999999999d",
        "1.2.3d",
        "\u0661d",
        "-7d",
        "2026-W05-6",
    ],
)
def test_what_is_no_moment_is_told_in_one_line(text: str) -> None:
    """It says what would have been one, also where the calendar has no such day."""
    with pytest.raises(InvalidInput, match="as --until, found") as told:
        moment(text, "--until", now=NOW, last=True)

    assert "\n" not in str(told.value)
