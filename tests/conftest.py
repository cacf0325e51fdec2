"""Fixtures that any test may ask for, and what runs beside what.

An example of a property takes as long as it does.
"""

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.kafka.fixtures", "tests.postgres.fixtures"]

# A busy machine is no defect of what is tested.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of several processes one has all that needs a broker, so that each cluster starts once."""
    from tests.kafka.fixtures import CLUSTERS  # pytest itself imports a plugin first

    for item in items:
        on_kafka = CLUSTERS & set(getattr(item, "fixturenames", ()))
        item.add_marker(pytest.mark.xdist_group("kafka" if on_kafka else str(item.path)))
