"""Steps as rows: which were done, how often they were tried, how long the last try took."""

from __future__ import annotations

from datetime import datetime

from hitl_events.domain.events import StepCompleted, StepFailed, StepStarted
from hitl_events.domain.state import StepState
from hitl_events.domain.values import RunId, maker, value

StepEvent = StepStarted | StepCompleted | StepFailed


@value
class StepRow:
    """One step of a run; event `seq` is the last that is its own.

    `status` is `started` (a once step whose end is not known), `retrying`, `completed`, `failed`.
    The output stays in the event.
    """

    run_id: RunId
    kind: str
    step: str
    occurrence: int
    status: str
    attempt: int
    seq: int
    at: datetime
    duration_us: int | None
    error: str | None
    message: str | None
    retry_at: datetime | None


_new_row = maker(StepRow)


def step_row(last: StepEvent, state: StepState) -> StepRow:
    """The row of a step by its last event and what is true of it now."""
    failed = last if isinstance(last, StepFailed) else None
    return _new_row(
        run_id=last.run_id,
        kind=last.kind,
        step=last.step,
        occurrence=last.occurrence,
        status=state.status,
        attempt=last.attempt,
        seq=last.seq,
        at=last.recorded_at,
        duration_us=last.duration_us if isinstance(last, StepCompleted) else None,
        error=None if failed is None else failed.error,
        message=None if failed is None else failed.message,
        retry_at=state.retry_at,
    )
