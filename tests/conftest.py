"""Fixtures that any test may ask for, and how long an example of a property may take: as it does."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.kafka.fixtures", "tests.postgres.fixtures"]

# A busy machine is no defect of what is tested.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")
