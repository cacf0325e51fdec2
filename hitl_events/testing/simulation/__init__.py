from hitl_events.testing.simulation.play import Report, failures, simulate

__all__ = ["Report", "failures", "simulate"]
