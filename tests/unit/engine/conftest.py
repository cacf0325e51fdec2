"""What every test of the engine begins with."""

import pytest

from tests.unit.engine.played import RAN


@pytest.fixture(autouse=True)
def fresh() -> None:
    """No step ran yet."""
    RAN.clear()
