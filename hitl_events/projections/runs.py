"""Runs as rows: where each stands after the last event that was folded."""

from __future__ import annotations

from datetime import datetime

from hitl_events.domain.state import RunState, status
from hitl_events.domain.values import RunId, maker, value


@value
class RunRow:
    """One run; `status` is the log's word for it, `head` the digest of event `seq`."""

    run_id: RunId
    recipe: str
    version: str
    status: str
    seq: int
    head: bytes
    started_at: datetime
    updated_at: datetime
    open_gates: int


_new_row = maker(RunRow)


def run_row(run: RunState, head: bytes) -> RunRow:
    """The row of a run in this state."""
    started = run.started
    return _new_row(
        run_id=started.run_id,
        recipe=started.recipe,
        version=started.version,
        status=status(run),
        seq=run.seq,
        head=head,
        started_at=started.recorded_at,
        updated_at=run.recorded_at,
        open_gates=len(run.pending),
    )
