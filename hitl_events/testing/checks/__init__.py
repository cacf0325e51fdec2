"""Conformance checks: `check_*(make)` raises `BrokenPromise` where an adapter fails its port."""

from hitl_events.testing.checks.blobs import check_blobs
from hitl_events.testing.checks.clock import check_clock
from hitl_events.testing.checks.codec import check_codec
from hitl_events.testing.checks.dead_letters import check_dead_letters
from hitl_events.testing.checks.event_log import check_event_log
from hitl_events.testing.checks.intake import check_intake
from hitl_events.testing.checks.owner import check_owner
from hitl_events.testing.checks.promise import BrokenPromise, Make, Storage
from hitl_events.testing.checks.read_model import check_read_model
from hitl_events.testing.checks.run_states import check_run_states

__all__ = [
    "BrokenPromise",
    "Make",
    "Storage",
    "check_blobs",
    "check_clock",
    "check_codec",
    "check_dead_letters",
    "check_event_log",
    "check_intake",
    "check_owner",
    "check_read_model",
    "check_run_states",
]
