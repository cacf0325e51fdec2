"""Answers on the topic of replies: what they say, and what is none."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from hitl_events.client.replies import reply_of
from hitl_events.domain.refusals import Winner

WINNER = {
    "decision_id": "d-1",
    "verdict": "approve",
    "decided_by": None,
    "decided_at": "2026-01-01T00:00:00.000000Z",
}


def test_an_answer_names_the_event() -> None:
    """`seq` in the run; no refusal."""
    found = reply_of(b'{"reply":"a","run_id":"r-1","seq":4}')

    assert found is not None
    assert (found.reply, found.run_id, found.seq, found.refusal) == ("a", "r-1", 4, None)


def test_a_refusal_names_reason_and_winner() -> None:
    """As the rejection that the engine made."""
    said = {"reply": "a", "reason": "token_used", "message": "closed", "winner": WINNER}
    found = reply_of(json.dumps(said).encode())

    assert found is not None
    assert found.refusal is not None
    assert (found.refusal.reason, found.refusal.message) == ("token_used", "closed")
    assert found.refusal.winner == Winner(
        decision_id="d-1",
        verdict="approve",
        decided_by=None,
        decided_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("winner", [None, 7, {}, {**WINNER, "decided_at": "soon"}])
def test_a_refusal_without_a_winner_is_one(winner: object) -> None:
    """What is said of the winner may be missing or not be understood."""
    said = {"reply": "a", "reason": "conflict", "message": "m", "winner": winner}
    found = reply_of(json.dumps(said).encode())

    assert found is not None
    assert found.refusal is not None
    assert (found.refusal.reason, found.refusal.winner) == ("conflict", None)


def test_a_reason_of_a_later_release_is_a_refusal() -> None:
    """It must not look like success."""
    found = reply_of(b'{"reply":"a","reason":"new_reason","message":"m"}')

    assert found is not None
    assert found.refusal is not None
    assert found.refusal.reason == "engine_error"


@pytest.mark.parametrize(
    "data", [None, b"", b"{", b"[]", b"\xff", b'{"reply":7}', b"{}", b"[" * 100_000]
)
def test_what_is_no_answer_is_none(data: bytes | None) -> None:
    """Whatever stands in the topic, a caller goes on waiting."""
    assert reply_of(data) is None
