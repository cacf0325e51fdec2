from hitl_events.testing.simulation.play import Report, failures, simulate
from hitl_events.testing.simulation.sweep import sweep

__all__ = ["Report", "failures", "simulate", "sweep"]
