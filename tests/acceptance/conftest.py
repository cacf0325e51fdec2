"""Fixtures of the tests that use the processes as their users do."""

from __future__ import annotations

import pytest

from tests.acceptance.sealed import Hitl


@pytest.fixture
def hitl(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Hitl:
    """The command, in this process."""
    return Hitl(capsys, monkeypatch)
