"""The checker of the simulation finds what it is there to find."""

from collections.abc import Callable

import pytest

from hitl_events.testing.simulation import failures
from tests.simulation.mutants import MUTANTS

SEEDS = 2000
"""The rarest of the mistakes shows in one world of a thousand, most in one of ten."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_engine_is_caught(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mistake breaks a promise within a few seeds, and the report says how to see it again."""
    mutant(monkeypatch)

    report = next(failures(range(SEEDS)), None)

    assert report is not None, "expected a violation, found none"
    assert f"again: python -m hitl_events.testing.simulation {report.seed}" in str(report)
