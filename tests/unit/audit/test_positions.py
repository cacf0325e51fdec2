"""What the log keeps of a run by its key, compared with what its events say (audit/positions)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from hitl_events.audit.chain import ChainCheck
from hitl_events.audit.report import VerifyReport
from hitl_events.domain.events import StepFailed
from hitl_events.ports import RunPosition
from tests.unit.audit.made import CODEC, NOON, chained, position_of, started, waiting


def _compared(values: Iterable[bytes], position: RunPosition, now: datetime = NOON) -> VerifyReport:
    """The report on one run, compared with that position."""
    check = ChainCheck(CODEC)
    check.add_all(values)
    check.finish([position], now=now)
    return check.report()


def _retrying(*after_s: int) -> list[bytes]:
    """A run in which steps failed and are to be tried again so many seconds after noon."""
    failed = [
        StepFailed(
            step="call",
            occurrence=number,
            kind="step",
            attempt=1,
            args_digest=bytes(8),
            error="OSError",
            message="",
            retry_at=NOON + timedelta(seconds=each),
        )
        for number, each in enumerate(after_s, start=1)
    ]
    return chained("r", [started(), *failed])


@pytest.mark.parametrize(
    "changes",
    [{"status": "running"}, {"due": NOON}, {"seq": 2}, {"seq": 4}, {"head": bytes(32)}],
)
def test_a_position_that_the_events_do_not_bear_out_is_found(changes: dict[str, Any]) -> None:
    """Status, timer, seq and head are derived from the events, so they must agree."""
    values = waiting("w")
    position = replace(position_of(values), **changes)

    assert [each.run_id for each in _compared(values, position).errors] == ["w"]


@pytest.mark.parametrize("retries", [(10,), (10, 20), (30, 20)])
def test_a_step_that_is_tried_again_is_no_damage(retries: tuple[int, ...]) -> None:
    """The timers of attempts that are under way are gone, before any event tells of them."""
    values = _retrying(*retries)
    whole = position_of(values)
    last, *others = sorted((NOON + timedelta(seconds=each) for each in retries), reverse=True)

    for due in (None, last, *others):
        held = replace(whole, due=due)
        assert _compared(values, held, now=last).ok


@pytest.mark.parametrize(
    ("changes", "now_s"),
    [({"due": None}, 10), ({"due": None}, 19), ({"due": NOON}, 30), ({"busy": False}, 30)],
)
def test_a_retry_that_was_lost_is_found(changes: dict[str, Any], now_s: int) -> None:
    """Before its time no attempt can have begun, and then the run is busy."""
    values = _retrying(20)
    held = replace(position_of(values), **changes)

    report = _compared(values, held, now=NOON + timedelta(seconds=now_s))

    assert [(each.run_id, each.seq) for each in report.errors] == [("r", len(values))]
