"""`hitl-projector` as a process, as far as it gets without a broker."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.acceptance.child import process

SCRIPT = Path(__file__).with_name("hitl_projector.py")
PROJECTOR = ["env", "-u", "HITL_TOKEN_KEY", sys.executable, "-W", "error", str(SCRIPT)]
BROKER = "127.0.0.1:1"
MODEL = "sqlite:///read-model.db"


@pytest.mark.parametrize(
    ("settings", "named", "code"),
    [
        ({"HITL_READ_MODEL": MODEL}, "HITL_KAFKA_BOOTSTRAP", 2),
        ({"HITL_KAFKA_BOOTSTRAP": BROKER}, "HITL_READ_MODEL", 2),
        ({"HITL_KAFKA_BOOTSTRAP": BROKER, "HITL_READ_MODEL": "mysql://x"}, "HITL_READ_MODEL", 2),
        ({"HITL_KAFKA_BOOTSTRAP": BROKER, "HITL_READ_MODEL": "sqlite:////proc/no/m"}, "/proc", 5),
        ({"HITL_KAFKA_BOOTSTRAP": BROKER, "HITL_READ_MODEL": MODEL}, "HITL_KAFKA_BOOTSTRAP", 5),
    ],
)
def test_what_is_missing_is_one_line(
    tmp_path: Path, settings: dict[str, str], named: str, code: int
) -> None:
    """2 for settings, 5 for a broker or database that is not there; no token key is asked for."""
    with process(tmp_path, PROJECTOR, **settings) as projector:
        assert projector.ended() == code

    (line,) = (line for line in projector.said if not line.startswith("{"))
    assert line.startswith("hitl-projector: expected ")
    assert named in line


def test_a_password_of_the_read_model_is_told_nobody(tmp_path: Path) -> None:
    """Not even where it is the problem."""
    url = "postgresql://hitl:very-secret@127.0.0.1:1/hitl"
    settings = {"HITL_KAFKA_BOOTSTRAP": BROKER, "HITL_READ_MODEL": url}
    with process(tmp_path, PROJECTOR, **settings) as projector:
        assert projector.ended() in (2, 5)

    assert "very-secret" not in "\n".join(projector.said)
