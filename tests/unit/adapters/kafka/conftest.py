"""What tests of states on more than one machine need."""

from collections.abc import Generator
from pathlib import Path

import pytest

from hitl_events.adapters.kafka.states import StateFile
from tests.unit.adapters.committed import CODEC, IDENTITY


@pytest.fixture
def other(tmp_path: Path) -> Generator[StateFile]:
    """The state file of another machine, which is new."""
    found = StateFile.open(tmp_path / "other.state", IDENTITY, CODEC)
    yield found
    found.close()
