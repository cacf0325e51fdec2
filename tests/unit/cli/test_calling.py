"""How long a command waits for the engines."""

from __future__ import annotations

import pytest

from hitl_events.client.cluster import WAIT_S
from hitl_events.errors import InvalidInput
from hitl_services.cli.calling import wait_of


@pytest.mark.parametrize(
    ("timeout", "wait_s"), [(None, WAIT_S), ("0", 0.0), ("0s", 0.0), ("0.5", 0.5), ("2m", 120.0)]
)
def test_a_command_waits_as_long_as_it_is_told(timeout: str | None, wait_s: float) -> None:
    """No time at all is a time too, and not the default."""
    assert wait_of(timeout, no_wait=False) == wait_s


def test_waiting_and_not_waiting_exclude_each_other() -> None:
    """Also where the time is none at all."""
    assert wait_of(None, no_wait=True) is None
    with pytest.raises(InvalidInput, match="found both"):
        wait_of("0", no_wait=True)
