import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from hitl_events.adapters.avro import fingerprint
from hitl_events.adapters.avro.schemas import MARKER
from hitl_events.adapters.inbound import RECORD_BYTES_MAX, Refused, read_inbound
from hitl_events.adapters.inbound.write import decision_json
from hitl_events.domain.commands import Decide
from hitl_events.domain.events import Source
from hitl_events.domain.values import EPOCH
from hitl_events.ports import Headers, InboundKind, InboundRecord

TOKEN = "hitl_AQIDBAUGBwgJ"
SOURCE = Source(topic="t", partition=0, offset=1, timestamp_ms=2)
OK: dict[str, Any] = {"token": TOKEN, "verdict": "approve"}
DECIDE = MARKER + fingerprint("Decide")
START = MARKER + fingerprint("StartRun")


def _read(value: bytes, kind: InboundKind = "decision", headers: Headers = ()) -> Refused | Any:
    record = InboundRecord(kind=kind, value=value, headers=headers, channel="c", source=SOURCE)
    return read_inbound(record, arrived_at=EPOCH)


def _reason(value: bytes | dict[str, Any], kind: InboundKind = "decision") -> str:
    found = _read(value if isinstance(value, bytes) else json.dumps(value).encode(), kind)
    assert isinstance(found, Refused), found
    assert found.message.startswith(("expected ", "in "))
    assert TOKEN not in found.message
    return found.reason


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"approve",
        b"[1]",
        b' {"token": "t", "verdict": "v"}',
        b'\xef\xbb\xbf{"token": "t", "verdict": "v"}',
        b"\x00\x00\x00\x00\x01\x02t",
        b"{",
        b'{"token": "t", "verdict": "v"',
        b'{"token": "t", "verdict": "v"}}',
        b'{"token": "t", "verdict": "v",}',
        b"{'token': 't'}",
        b'{"token": "\xff", "verdict": "v"}',
        b'{"token": "t", "verdict": "\xed\xa0\x80"}',
        b'{"token": "t", "verdict": "\\ud800"}',
        b'{"token": "t", "verdict": "v", "data": {"\\udfff": 1}}',
        b'{"token": "t", "verdict": "v", "data": {"a": NaN}}',
        b'{"token": "t", "verdict": "v", "data": {"a": -Infinity}}',
        b'{"token": "t", "verdict": "v", "data": {"a": 1e999}}',
        b'{"token": "t", "verdict": "v", "data": {"a": 9007199254740992}}',
        b'{"token": "t", "verdict": "v", "data": {"a": -%b}}' % (b"9" * 5000),
        b'{"token": "t", "verdict": "v", "token": "u"}',
        b'{"token": "t", "verdict": "v", "data": {"a": 1, "a": 1}}',
        b'{"token": "t", "verdict": "v", "data": {"a": %b1%b}}' % (b"[" * 64, b"]" * 64),
        b'{"token": "t", "verdict": "v", "data": %b1%b}' % (b"[" * 100_000, b"]" * 100_000),
        b'{"token": "t", "verdict": "line\nbreak"}',
        MARKER,
        DECIDE[:9],
        DECIDE,
        DECIDE + b"\x02t\x02v" + bytes(5),
        DECIDE + b"\x02t\x02v" + bytes(7),
        DECIDE + b"\x02\xff\x02v" + bytes(6),
        DECIDE + b"\x02t\x02v\x04" + bytes(5),
        DECIDE + b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01t\x02v" + bytes(6),
    ],
)
def test_what_cannot_be_read_is_unreadable(value: bytes) -> None:
    """Only what all readers take for the same value is read at all."""
    assert _reason(value) == "unreadable"


@pytest.mark.parametrize(
    "head", [MARKER + bytes(8), MARKER + fingerprint("RunStarted"), MARKER + b"\xff" * 8]
)
@pytest.mark.parametrize("kind", ["decision", "command"])
def test_a_schema_that_is_no_command_is_unknown(head: bytes, kind: InboundKind) -> None:
    """Our own events are no commands either."""
    assert _reason(head + b"\x02a", kind) == "unknown_schema"


EMPTY: list[Any] = []


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"token": TOKEN},
        {"verdict": "approve"},
        {"token": TOKEN, "verdict": None},
        {"token": "", "verdict": "approve"},
        {"token": TOKEN, "verdict": ""},
        {"token": 1, "verdict": "approve"},
        {"token": TOKEN, "verdict": ["approve"]},
        {"token": TOKEN, "verdict": True},
        OK | {"decision": "approve"},
        OK | {"note": "misspelt"},
        OK | {"note": None},
        OK | {"type": "Decide"},
        OK | {TOKEN: "a token as a name"},
        OK | {"x" * 1000: 1},
        OK | {"channel": "cli"},
        OK | {"identity": "signed"},
        OK | {"notes": 1},
        OK | {"notes": {"a": 1}},
        OK | {"data": "{}"},
        OK | {"data": EMPTY},
        OK | {"data": 1},
        OK | {"decision_id": 7},
        OK | {"decision_id": ""},
        OK | {"decided_by": ["ann"]},
        OK | {"draft_digest": "ab"},
        OK | {"draft_digest": "g" * 64},
        OK | {"draft_digest": "ab" * 33},
        OK | {"draft_digest": " ".join(["ab"] * 32)},
        OK | {"draft_digest": 1},
        OK | {"decided_at": "yesterday"},
        OK | {"decided_at": "2026-01-01T00:00:00"},
        OK | {"decided_at": "0001-01-01T00:00:00+23:59"},
        OK | {"decided_at": 1_767_225_600},
        OK | {"verdict": "x" * 65},
        OK | {"notes": "x" * (64 * 1024 + 1)},
        OK | {"decision_id": "x" * 257},
        OK | {"decided_by": "x" * 257},
        DECIDE + b"\x02t\x02v\x00\x02\x04[]" + bytes(4),
        DECIDE + b"\x02t\x02v\x00\x02\x02{" + bytes(4),
        DECIDE + b"\x02t\x02v\x00\x02\x00" + bytes(4),
        START + b"\x02r\x04{}" + bytes(3),
    ],
)
def test_a_decision_that_says_too_little_or_too_much_is_invalid(
    value: bytes | dict[str, Any],
) -> None:
    """Nothing is guessed and nothing is ignored."""
    assert _reason(value) == "invalid_decision"


@pytest.mark.parametrize(
    "value",
    [
        {"recipe": "r"},
        {"type": "StopRun", "run_id": "x"},
        {"type": TOKEN, "run_id": "x"},
        {"type": 1, "run_id": "x"},
        {"type": "Decide", "token": TOKEN, "verdict": "approve"},
        {"type": "StartRun"},
        {"type": "StartRun", "recipe": ""},
        {"type": "StartRun", "recipe": "r", "inputs": {}},
        {"type": "StartRun", "recipe": "r", "inputs": None},
        {"type": "StartRun", "recipe": "r", "run_id": "a b"},
        {"type": "StartRun", "recipe": "r", "run_id": ""},
        {"type": "StartRun", "recipe": "r", "run_id": "x" * 65},
        {"type": "StartRun", "recipe": "r", "run_id": "x\n"},
        {"type": "StartRun", "recipe": "r", "version": 1},
        {"type": "StartRun", "recipe": "x" * 257},
        {"type": "CancelRun"},
        {"type": "CancelRun", "run_id": 1},
        {"type": "CancelRun", "run_id": "x", "reason": 1},
        {"type": "UnblockRun", "run_id": "ü"},
        DECIDE + b"\x02t\x02v" + bytes(6),
        START + b"\x02r\x02{" + bytes(3),
    ],
)
def test_a_command_that_says_too_little_or_too_much_is_invalid(
    value: bytes | dict[str, Any],
) -> None:
    """As with decisions: the sender learns what was expected."""
    assert _reason(value, "command") == "invalid_command"


@pytest.mark.parametrize(
    "headers",
    [
        (("ce_type", b"hitl.v1.StartRun"),),
        (("ce_type", b"\xff"),),
        (("ce_source", b"s"), ("ce_id", b"\xff")),
        (("ce_source", b"s" * 200), ("ce_id", b"i" * 200)),
    ],
)
def test_headers_that_contradict_or_break_limits_are_invalid(headers: Headers) -> None:
    """A header is as foreign as a body."""
    found = _read(b'{"type": "CancelRun", "run_id": "x"}', "command", headers)

    assert isinstance(found, Refused)
    assert found.reason == "invalid_command"


def test_data_that_grows_beyond_the_limit_is_too_large() -> None:
    """Canonical numbers may be five times as long as they were sent: 1e20 has 21 digits."""
    data = b'{"token": "t", "verdict": "v", "data": {"a": [%b1]}}' % (b"1e20," * 20_000)

    assert len(data) < RECORD_BYTES_MAX
    assert _reason(data) == "too_large"


def test_the_first_reason_is_given() -> None:
    """What cannot be read is not looked into, and size comes before all."""
    deep = b"[" * 70 + b"]" * 70
    for unreadable in (b"NaN", b"1e999", deep, b'"\\ud800"', b'{"a": 1, "a": 1}'):
        both = b'{"token": 1, "unknown": %b}' % unreadable

        assert _reason(both) == "unreadable"
        assert _reason(both + b" " * RECORD_BYTES_MAX) == "too_large"


def test_a_forged_token_is_not_judged_here() -> None:
    """Huge, foreign or empty of sense: only a missing MAC makes it `invalid_token`, later."""
    for token in ("x" * 10_000, "töken", "hitl_", "\x00"):
        found = _read(decision_json(token=token, verdict="approve"))

        assert isinstance(found, Decide)
        assert found.token == token


def test_many_repeated_names_are_refused_at_once() -> None:
    """The search for the name that stands twice is no way to keep an engine busy."""
    names = b",".join(b'"n%d":1' % number for number in range(20_000))

    assert _reason(b"{" + names + b',"n19999":1}') == "unreadable"


@settings(max_examples=150, deadline=None)
@given(
    value=st.binary(max_size=60)
    | st.binary(max_size=60).map(lambda body: DECIDE + body)
    | st.binary(max_size=60).map(lambda body: START + body)
    | st.binary(max_size=60).map(lambda body: b"{" + body)
    | st.dictionaries(
        st.sampled_from(["token", "verdict", "notes", "data", "decided_at", "type", "run_id"]),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=4,
        ),
    ).map(lambda body: json.dumps(body).encode()),
    kind=st.sampled_from(["decision", "command"]),
)
def test_no_record_raises(value: bytes, kind: InboundKind) -> None:
    """Whatever strangers send becomes a command or a refusal."""
    assert _read(value, kind) is not None
