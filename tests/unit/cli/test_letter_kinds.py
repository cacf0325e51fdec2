"""A dead letter of the one embedded intake is brought again as what it was: decision or command."""

import json

import pytest

from hitl_events.domain.refusals import Reason
from hitl_events.domain.values import EPOCH
from hitl_events.ports import DeadLetter, Headers
from hitl_services.cli.dead_letters import _is_decision

STRUCTURED = (("content-type", b"application/cloudevents+json"),)


def letter(value: bytes, headers: Headers = (), reason: Reason = "unreadable") -> DeadLetter:
    return DeadLetter(
        reason=reason,
        message="m",
        source=None,
        key=None,
        value=value,
        headers=headers,
        recorded_at=EPOCH,
    )


def event(kind: str) -> bytes:
    """A structured CloudEvent."""
    held = {"specversion": "1.0", "id": "1", "source": "s", "type": kind, "data": {"token": "t"}}
    return json.dumps(held).encode()


@pytest.mark.parametrize(
    ("found", "is_decision"),
    [
        (letter(b'{"token": "t", "verdict": "v"}'), True),
        (letter(b'{"type": "StartRun"}'), False),
        (letter(b'{"recipe": "r"}', (("ce_type", b"hitl.v1.StartRun"),)), False),
        (letter(b"{}", (("ce_type", b"hitl.v1.Decide"),)), True),
        (letter(event("hitl.v1.Decide"), STRUCTURED), True),
        (letter(event("hitl.v1.CancelRun"), STRUCTURED), False),
        (letter(b"\0\0\0\0\x07body"), True),
        (letter(b"\0\0\0\0\x07body", (("ce_type", b"hitl.v1.StartRun"),)), False),
        (letter(b"\0\0\0\0\x07body", reason="invalid_command"), False),
    ],
)
def test_the_record_says_what_it_was(found: DeadLetter, is_decision: bool) -> None:
    """In whichever form it came: header, field, structured event, frame."""
    assert _is_decision(found) == is_decision
