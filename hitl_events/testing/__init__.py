"""The test kit: conformance checks, a manual clock, given/when/then, and the simulation.

The hypothesis strategies stand in `hitl_events.testing.strategies`, as they need hypothesis.
"""

from hitl_events.testing.checks import (
    BrokenPromise,
    Make,
    Storage,
    check_blobs,
    check_clock,
    check_codec,
    check_dead_letters,
    check_event_log,
    check_intake,
    check_owner,
    check_read_model,
    check_run_states,
)
from hitl_events.testing.clock import ManualClock
from hitl_events.testing.expectations import event_like
from hitl_events.testing.given import (
    Scenario,
    cancellation,
    decision,
    given,
    step_completed,
    step_failed,
    step_timed_out,
)
from hitl_events.testing.simulation import Report, simulate

__all__ = [
    "BrokenPromise",
    "Make",
    "ManualClock",
    "Report",
    "Scenario",
    "Storage",
    "cancellation",
    "check_blobs",
    "check_clock",
    "check_codec",
    "check_dead_letters",
    "check_event_log",
    "check_intake",
    "check_owner",
    "check_read_model",
    "check_run_states",
    "decision",
    "event_like",
    "given",
    "simulate",
    "step_completed",
    "step_failed",
    "step_timed_out",
]
