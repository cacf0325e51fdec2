"""What `/readyz` says of a process that shares partitions with others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hitl_events.errors import HitlError
from hitl_services.failure import one_line
from hitl_services.health import Health

TROUBLES_TOLD_MAX = 3
"""In an answer of `/readyz`; the log has all of them."""


class Served(Protocol):
    """Partitions that are ours, and how they fare."""

    @property
    def ready(self) -> bool:
        """True once the group took us in and all that it gave us is served."""
        ...

    @property
    def partitions(self) -> Mapping[int, bool]:
        """Partition -> whether it is served, of those that are ours."""
        ...

    @property
    def troubles(self) -> Mapping[int, HitlError]:
        """Partition -> why it is not served, of those in trouble."""
        ...


def health_of(served: Served) -> Health:
    """Good once all is served; else which partitions are not, and why."""
    partitions = dict(served.partitions)
    waiting = sorted(number for number, is_served in partitions.items() if not is_served)
    if waiting:
        troubles = sorted(served.troubles.items())[:TROUBLES_TOLD_MAX]
        told = [f"partition {number}: {one_line(str(error))}" for number, error in troubles]
        return Health(
            good=False, reason="; ".join([f"partitions not served yet: {waiting}", *told])
        )
    if not served.ready:
        return Health(good=False, reason="the group has not dealt out its partitions yet")
    return Health(good=True, reason=f"partitions served: {len(partitions)}")
