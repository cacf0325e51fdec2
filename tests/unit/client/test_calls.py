"""Calls to a cluster: what is sent, before anything is sent."""

from __future__ import annotations

import json

from hitl_events.adapters.inbound import read_inbound
from hitl_events.adapters.inbound.proof import proven_channel
from hitl_events.client.calls import Call, Calls
from hitl_events.domain.commands import CancelRun, Command, Decide, StartRun, UnblockRun
from hitl_events.domain.events import Source
from hitl_events.domain.refusals import Refused
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import EPOCH
from hitl_events.ports import InboundRecord
from hitl_events.testing import ManualClock

KEYS = TokenKeys([b"k" * 32])
TOKEN = KEYS.issue("r-1", 3, bytes(8), KEYS.kid) or ""
SOURCE = Source(topic="t", partition=0, offset=7, timestamp_ms=0)


def calls() -> Calls:
    """Those of a command line."""
    return Calls(KEYS, ManualClock(), channel="cli")


def read(call: Call) -> Command | Refused:
    """What an engine makes of the record."""
    record = InboundRecord(
        kind=call.kind, value=call.value or b"", headers=call.headers, channel="cli", source=SOURCE
    )
    return read_inbound(record, arrived_at=EPOCH)


def test_an_engine_reads_every_call() -> None:
    """Each is the command that was asked for, with the ids of the caller."""
    start = read(calls().start("policy", {"a": 1}, "r-1"))
    decision = read(calls().decide(TOKEN, "approve", decision_id="d-1", notes="n", decided_by="a"))
    cancel = read(calls().cancel("r-1", "late", by="anna"))
    unblock = read(calls().unblock("r-1"))

    assert isinstance(start, StartRun)
    assert (start.recipe, start.input, start.run_id) == ("policy", b'{"a":1}', "r-1")
    assert isinstance(decision, Decide)
    assert (decision.decision_id, decision.notes, decision.decided_by) == ("d-1", "n", "a")
    assert isinstance(cancel, CancelRun)
    assert (cancel.run_id, cancel.reason, cancel.cancelled_by) == ("r-1", "late", "anna")
    assert isinstance(unblock, UnblockRun)


def test_ids_are_chosen_before_the_record_is_sent() -> None:
    """So that the same record can be sent again: a run and a decision get theirs here."""
    start = calls().start("policy", None)
    decision = calls().decide(TOKEN, "approve")
    read_start, read_decision = read(start), read(decision)

    assert isinstance(read_start, StartRun)
    assert (start.is_new, read_start.run_id) == (True, start.run_id)
    assert isinstance(read_decision, Decide)
    assert decision.decision_id == read_decision.decision_id


def test_the_key_is_the_run() -> None:
    """Of a decision it is read from its token; of a token that is none of ours nothing is known."""
    ours, foreign = calls().decide(TOKEN, "approve"), calls().decide("hitl_x", "approve")

    assert (ours.run_id, ours.key) == ("r-1", b"r-1")
    assert (foreign.run_id, foreign.key) == (None, None)


def test_a_call_proves_its_channel_and_asks_for_an_answer() -> None:
    """`hitl-producer` holds for the value as it is sent; `hitl-reply` differs from call to call."""
    made = calls()
    first, second = made.cancel("r-1"), made.cancel("r-1")

    assert proven_channel(KEYS, first.headers, first.value or b"") == "cli"
    assert proven_channel(KEYS, first.headers, b"other") is None
    assert dict(first.headers)["hitl-reply"] == first.reply.encode()
    assert first.reply != second.reply


def test_a_record_is_sent_again_as_it_was() -> None:
    """Key, value and headers stay, the answer is for this caller, the place is a new one."""
    old = (("mine", b"1"), ("hitl-reply", b"other"), ("hitl-forwarded", b"t:0:1:2:mac"))
    call = calls().again("decision", b"k", None, old)

    assert (call.kind, call.key, call.value) == ("decision", b"k", None)
    assert call.headers == (("mine", b"1"), ("hitl-reply", call.reply.encode()))


def test_no_secret_is_shown() -> None:
    """A call may be logged by its repr: there is no token and no input in it."""
    assert TOKEN not in repr(calls().decide(TOKEN, "approve"))
    assert json.loads(calls().decide(TOKEN, "approve").value or b"")["token"] == TOKEN
