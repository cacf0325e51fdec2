"""A refund as a graph: looked up, reserved, approved, paid; a refusal gives the reserve back.

In a copy of this folder:

    hitl run refund --recipes refund.py --input @request.json

The payment can not be undone, so it stands behind the gate and is declared `once`: if the process
dies while it pays, the run does not pay again but asks whether it happened.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from ledger import Entry, Ledger
from pydantic import BaseModel, ConfigDict, Field

from hitl_events import Recipe, current_step, hitl

Artefact = dict[str, Any]
"""What a step of a graph gets: {"input": ..., "steps": {name: output}, "gates": {name: ...}}."""


class RefundRequest(BaseModel):
    """The input of a run."""

    model_config = ConfigDict(extra="forbid")

    ledger: Path
    order: str
    amount: Decimal = Field(gt=0, decimal_places=2)
    reason: str = ""


class Case(BaseModel):
    """What the refund is about."""

    ledger: str
    order: str
    customer: str
    sold_cents: int
    refund_cents: int
    reason: str


class Reserve(BaseModel):
    """Money held back for this refund."""

    ledger: str
    entry: Entry


def look_up(artefact: Artefact) -> Case:
    """The sale that the request names."""
    request = RefundRequest.model_validate(artefact["input"])
    path = request.ledger.resolve()
    sale = Ledger(path).sale(request.order)
    return Case(
        ledger=str(path),
        order=sale.order,
        customer=sale.customer,
        sold_cents=sale.cents,
        refund_cents=int(request.amount * 100),
        reason=request.reason,
    )


def history(artefact: Artefact) -> list[Entry]:
    """What this customer was paid back before."""
    case = _case(artefact)
    return Ledger(case.ledger).paid_to(case.customer)


def reserve(artefact: Artefact) -> Reserve:
    """Hold the money back, so that two refunds of one order cannot both pass."""
    case = _case(artefact)
    return Reserve(ledger=case.ledger, entry=_book(case, "reserved"))


def release(reserve: Reserve) -> Entry:
    """The undo of `reserve`: it gets what that step returned."""
    held = reserve.entry
    back = held.model_copy(update={"kind": "released", "key": current_step().key})
    return Ledger(reserve.ledger).add(back)


def pay(artefact: Artefact) -> Entry:
    """Pay the money out. The ledger drops a second payment with the same key."""
    return _book(_case(artefact), "paid")


def _case(artefact: Artefact) -> Case:
    return Case.model_validate(artefact["steps"]["look-up"])


def _book(case: Case, kind: str) -> Entry:
    entry = {
        "key": current_step().key,
        "kind": kind,
        "order": case.order,
        "customer": case.customer,
        "cents": case.refund_cents,
    }
    return Ledger(case.ledger).add(Entry.model_validate(entry))


def shown(artefact: Artefact) -> Artefact:
    """What the approver sees: the case and the customer's history, not our bookkeeping."""
    steps = artefact["steps"]
    return {"case": steps["look-up"], "earlier refunds": steps["history"]}


refund = (
    Recipe("refund", version="1")
    .step("look-up", look_up)
    .step("history", history, after="look-up")
    .step("reserve", reserve, after="look-up", undo=release)
    .use(
        hitl("approval", draft=shown, expires_in=timedelta(days=7), on_expiry="deny"),
        after=("history", "reserve"),
    )
    .step("pay", pay, after="approval", once=True)
    .configure(input=RefundRequest, undo_on=("cancelled", "denied", "failed"))
)
