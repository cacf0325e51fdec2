"""Compares what the log keeps of a run by its key with what the events of the run say."""

from __future__ import annotations

from datetime import datetime

from hitl_events.domain.state import TO_TAKE_UP, RunState, next_due
from hitl_events.domain.values import iso, value
from hitl_events.ports import RunPosition


@value
class Checked:
    """A run after its last event.

    `head` is None where that is not known, `status` is empty where the run can not be folded, and
    `state` is None there and once it has ended.
    """

    seq: int
    head: bytes | None
    status: str
    state: RunState | None


def difference(run: Checked, position: RunPosition, now: datetime) -> tuple[int, str]:
    """The event at which they differ and how; no text if they do not.

    Steps whose pause is over `now` may be under way again.
    """
    if run.seq < position.seq:
        missing = f"expected events up to {position.seq}, found the last to be {run.seq}"
        return run.seq + 1, missing
    if run.seq > position.seq:
        return run.seq, f"expected the last event to be {position.seq}, found {run.seq}"
    if run.head is not None and run.head != position.head:
        return run.seq, (
            f"expected the digest {position.head.hex()}, which the log keeps as the run's head, "
            f"found {run.head.hex()}: the event was edited"
        )
    if not run.status:
        return run.seq, ""
    return run.seq, _of_state(run, position, now)


def _of_state(run: Checked, position: RunPosition, now: datetime) -> str:
    if position.status != run.status:
        return f"expected the status {run.status!r} by the events, found {position.status!r}"
    due = None if run.state is None else next_due(run.state)
    if position.due != due and not _tried_again(run.state, position.due, now):
        told = [iso(at) if at else "none" for at in (due, position.due)]
        return f"expected the next timer {told[0]} by the events, found {told[1]}"
    if run.status in TO_TAKE_UP and not position.busy:
        return f"expected that a {run.status} run is marked as busy, found that it is not"
    return ""


def _tried_again(state: RunState | None, due: datetime | None, now: datetime) -> bool:
    """Whether the timer fits if some of the steps whose pause is over are under way again.

    No event says that a further attempt began: that its timer is gone is all that tells of it.
    """
    if state is None:
        return False
    over = {key: at for key, step in state.steps.items() if (at := step.retry_at) and at <= now}
    later = next_due(state, over)
    return due == later or any(due == at and (later is None or at < later) for at in over.values())
