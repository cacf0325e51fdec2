import json
from datetime import UTC, datetime
from typing import Any

import pytest

from hitl_events.adapters.inbound import command_json, decision_json, read_inbound
from hitl_events.domain import canonical
from hitl_events.domain.canonical import DEPTH_MAX
from hitl_events.domain.commands import CancelRun, Decide, StartRun, UnblockRun
from hitl_events.domain.content import start_digest
from hitl_events.domain.events import Source
from hitl_events.domain.values import EPOCH, digest
from hitl_events.errors import InvalidInput, NotSerialisable
from hitl_events.ports import InboundKind, InboundRecord

SOURCE = Source(topic="t", partition=0, offset=1, timestamp_ms=2)


def _read(value: bytes, kind: InboundKind) -> Any:
    record = InboundRecord(kind=kind, value=value, channel="cli", source=SOURCE)
    return read_inbound(record, arrived_at=EPOCH)


def test_a_decision_of_our_own_is_read_like_any_other() -> None:
    """What a process holds as values of the domain comes back as these values."""
    said: dict[str, Any] = {
        "token": "t",
        "verdict": "approve",
        "notes": "ü",
        "data": b'{"a":1.5}',
        "decision_id": "d",
        "decided_by": "ann",
        "draft_digest": bytes(range(32)),
        "decided_at": datetime(2026, 1, 1, 12, 0, 0, 5, tzinfo=UTC),
    }

    found = _read(decision_json(**said), "decision")

    assert isinstance(found, Decide)
    assert {name: getattr(found, name) for name in said} == said


def test_what_is_none_is_left_out() -> None:
    """The bytes are the least that says it, in canonical form."""
    assert decision_json(verdict="v", token="t", notes=None, data=None) == (
        b'{"token":"t","verdict":"v"}'
    )


def test_commands_of_our_own_are_read_like_any_other() -> None:
    """Each carries its type in the body, so it needs no header."""
    start = _read(command_json("StartRun", recipe="r", input={"a": 1}, run_id="x"), "command")
    cancel = _read(command_json("CancelRun", run_id="x", reason="why"), "command")
    unblock = _read(command_json("UnblockRun", run_id="x", by="ann"), "command")

    assert isinstance(start, StartRun)
    assert (start.recipe, start.input, start.run_id) == ("r", b'{"a":1}', "x")
    assert isinstance(cancel, CancelRun)
    assert isinstance(unblock, UnblockRun)
    assert (cancel.reason, unblock.by) == ("why", "ann")


@pytest.mark.parametrize("value", ["false", "0", '""', "[]", "{}"])
def test_a_false_input_is_an_input(value: str) -> None:
    """Only None is left out: false, 0 and an empty text are values."""
    found = _read(command_json("StartRun", recipe="r", input=json.loads(value)), "command")

    assert found.input == value.encode()


@pytest.mark.parametrize("name", ["StartRun", "Decide"])
def test_the_deepest_data_can_be_sent(name: str) -> None:
    """The record around it does not count: what a call may bring, a record may too."""
    deep = canonical.loads(b'{"a":' * DEPTH_MAX + b"1" + b"}" * DEPTH_MAX)
    if name == "Decide":
        found = _read(decision_json(token="t", verdict="v", data=deep), "decision")
        assert canonical.loads(found.data or b"") == deep
    else:
        found = _read(command_json("StartRun", recipe="r", input=deep), "command")
        assert canonical.loads(found.input) == deep


def test_a_misspelt_field_is_our_own_mistake() -> None:
    """It is found where it is made, not by the one who reads the record."""
    with pytest.raises(InvalidInput, match="inputs"):
        command_json("StartRun", recipe="r", inputs={})


def test_what_is_no_json_is_not_sent() -> None:
    """A command line may hold bytes that are no text."""
    with pytest.raises(NotSerialisable):
        decision_json(token="t", verdict="v", notes="\udcff")


def test_the_digest_of_a_start_covers_recipe_and_input() -> None:
    """The same run id with another of either is another run."""
    same = digest(b'{"input":{"a":1},"recipe":"r \\"1\\""}')

    assert start_digest('r "1"', b'{"a":1}') == same
    assert start_digest('r "1"', b'{"a":2}') != same
    assert start_digest("r", b'{"a":1}') != same
