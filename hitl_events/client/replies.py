"""The answers on the topic of replies, as values; what is none of ours is no answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from hitl_events.domain import canonical
from hitl_events.domain.refusals import REASONS, Reason, Rejection, Winner
from hitl_events.domain.values import RunId, value


@value
class Reply:
    """What became of a record: `seq` of its event in the run, or why it was refused."""

    reply: str
    run_id: RunId | None = None
    seq: int | None = None
    refusal: Rejection | None = None


def reply_of(data: bytes | None) -> Reply | None:
    """The answer that a record is; None for a record that is none."""
    try:
        held = canonical.loads(data or b"")
    except (ValueError, RecursionError):
        return None
    if not isinstance(held, dict):
        return None
    given = cast("dict[str, Any]", held)
    run_id, seq, reply = (given.get(name) for name in ("run_id", "seq", "reply"))
    if not isinstance(reply, str):
        return None
    return Reply(
        reply=reply,
        run_id=RunId(run_id) if isinstance(run_id, str) else None,
        seq=seq if type(seq) is int else None,
        refusal=_refusal(given),
    )


def _refusal(given: dict[str, Any]) -> Rejection | None:
    said = given.get("reason")
    if said is None:
        return None
    reason: Reason = said if said in REASONS else "engine_error"
    message = given.get("message")
    return Rejection(
        reason=reason,
        message=message if isinstance(message, str) else "expected to be taken, found no reason",
        winner=_winner(given.get("winner")),
    )


def _winner(held: object) -> Winner | None:
    try:
        given = cast("dict[str, Any]", held)
        return Winner(
            decision_id=str(given["decision_id"]),
            verdict=str(given["verdict"]),
            decided_by=None if given["decided_by"] is None else str(given["decided_by"]),
            decided_at=datetime.fromisoformat(given["decided_at"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
