"""The test kit: conformance checks for adapters of the ports."""

from hitl_events.testing.checks import (
    BrokenPromise,
    Make,
    Storage,
    check_clock,
    check_codec,
    check_dead_letters,
    check_event_log,
    check_intake,
    check_owner,
    check_run_states,
)

__all__ = [
    "BrokenPromise",
    "Make",
    "Storage",
    "check_clock",
    "check_codec",
    "check_dead_letters",
    "check_event_log",
    "check_intake",
    "check_owner",
    "check_run_states",
]
