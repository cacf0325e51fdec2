from hitl_events.testing.simulation.simulate import Report, failures, simulate

__all__ = ["Report", "failures", "simulate"]
