"""Fixtures that any test may ask for; an example of a property takes as long as it does."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.kafka.fixtures", "tests.postgres.fixtures"]

# A busy machine is no defect of what is tested.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")
