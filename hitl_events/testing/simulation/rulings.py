"""What must become of a decision, by CONTRACT's order of refusals and the checker's own ledger."""

from __future__ import annotations

from hitl_events.domain.refusals import Reason
from hitl_events.domain.values import value
from hitl_events.testing.simulation.ledger import Ledger, Pause, Violation
from hitl_events.testing.simulation.sent import Sent


@value
class Ruling:
    """`reason` None: it is received. `in_time`: it arrived before its gate's time was over."""

    reason: Reason | None
    winner: str | None = None
    in_time: bool = False


def expected_ruling(ledger: Ledger, sent: Sent) -> Ruling:
    """The one right answer to a decision whose token is good and that is not a repeat."""
    pause = ledger.pauses.get(sent.pause or 0)
    if pause is None:
        raise Violation("P2", f"a dead letter for {sent}, whose token names no pause")
    decision_id = sent.decision_id or ""
    if ledger.first(decision_id, sent.content_digest) is not None:
        raise Violation("P2", f"no second event for the repeat {sent}")
    if decision_id in ledger.bound:
        return Ruling(reason="conflict")
    ruling = _of_closed(pause, sent) or _of_open(pause, sent)
    if ruling.reason is None and ledger.blocked and _gives_output(pause, sent):
        return Ruling(reason="invalid_data")  # nobody can check it
    return ruling


def _of_closed(pause: Pause, sent: Sent) -> Ruling | None:
    end = pause.event.expires_at
    if pause.closed_by is not None:
        by_schedule = pause.closed_by.channel == "schedule"
        in_time = by_schedule and end is not None and sent.arrived_at <= end
        return Ruling(reason="token_used", winner=pause.closed_by.decision_id, in_time=in_time)
    if pause.dead == "expired":
        return Ruling(reason="token_expired", in_time=end is not None and sent.arrived_at <= end)
    if pause.dead in {"withdrawn", "superseded"}:
        return Ruling(reason="superseded")
    if pause.dead:
        return Ruling(reason="run_ended")
    if end is not None and sent.arrived_at > end:
        raise Violation("P3", f"the expiry before the ruling on the late {sent}")
    return None


def _of_open(pause: Pause, sent: Sent) -> Ruling:
    fields = sent.fields
    echoed = fields.get("draft_digest")
    if echoed is not None and echoed != pause.event.draft_digest.hex():
        return Ruling(reason="artefact_changed")
    if fields["verdict"] not in pause.event.verdicts:
        return Ruling(reason="unknown_verdict")
    data = fields.get("data")
    if data is not None and not _fits(pause, data):
        return Ruling(reason="invalid_data")
    return Ruling(reason=None)


def _gives_output(pause: Pause, sent: Sent) -> bool:
    return pause.about is not None and sent.fields["verdict"] == "happened"


def _fits(pause: Pause, data: dict[str, object]) -> bool:
    if pause.event.about is not None:
        return data.keys() <= {"output"}
    return pause.event.data_schema is not None and isinstance(data.get("score"), int)
