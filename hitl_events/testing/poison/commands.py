"""Commands that say too little or too much, and what no run or recipe answers to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hitl_events.adapters.avro import fingerprint
from hitl_events.adapters.avro.schemas import MARKER
from hitl_events.domain.refusals import Reason
from hitl_events.testing.poison.record import Poison, Target
from hitl_events.testing.poison.sound import avro, avro_text, text


def commands(target: Target) -> Iterator[Poison]:
    """Each with its reason."""
    for name, change in _starts(target).items():
        value = text(target, "command", **change)
        yield Poison(name=name, kind="command", value=value, reason="invalid_command")
    for name, said in _others(target).items():
        value = json.dumps(said).encode()
        yield Poison(name=name, kind="command", value=value, reason="invalid_command")
    for name, value in _avro(target).items():
        yield Poison(name=name, kind="command", value=value, reason="invalid_command")
    for name, (reason, said) in _late(target).items():
        value = json.dumps(said).encode()
        yield Poison(name=name, kind="command", value=value, reason=reason, is_late=True)


def _starts(target: Target) -> dict[str, dict[str, Any]]:
    return {
        "no type": {"type": None},
        "an unknown type": {"type": "StopRun"},
        "a token as type": {"type": target.token},
        "a number as type": {"type": 1},
        "no recipe": {"recipe": None},
        "an empty recipe": {"recipe": ""},
        "a list as recipe": {"recipe": [target.recipe]},
        "a long recipe": {"recipe": "x" * 257},
        "a misspelt field": {"inputs": {}},
        "a seed of its own": {"seed": "00" * 16},
        "a channel": {"channel": "cli"},
        "a run id with a space": {"run_id": "a b"},
        "a run id with a slash": {"run_id": "../x"},
        "a run id with a colon": {"run_id": "a:b"},
        "a run id with a NUL": {"run_id": "a\x00"},
        "a run id with a line feed": {"run_id": "a\n"},
        "a run id with a mark of direction": {"run_id": "a\u202eb"},
        "a run id beyond ASCII": {"run_id": "ä"},
        "a run id of 65 characters": {"run_id": "x" * 65},
        "a run id of 100,000 characters": {"run_id": "x" * 100_000},
        "an empty run id": {"run_id": ""},
        "a number as run id": {"run_id": 7},
        "a number as version": {"version": 1},
        "an empty version": {"version": ""},
        "a long version": {"version": "x" * 65},
        "an object as started_by": {"started_by": {}},
        "a NUL in started_by": {"started_by": "ann\x00"},
    }


def _others(target: Target) -> dict[str, dict[str, Any]]:
    cancel: dict[str, Any] = {"type": "CancelRun", "run_id": target.run_id}
    unblock: dict[str, Any] = {"type": "UnblockRun", "run_id": target.run_id}
    return {
        "a decision": {"type": "Decide", "token": target.token, "verdict": "approve"},
        "a decision without a type": {"token": target.token, "verdict": "approve"},
        "an event as command": cancel | {"type": "RunCancelled"},
        "an empty object": {},
        "a cancellation of nothing": {"type": "CancelRun"},
        "a cancellation with an input": cancel | {"input": {}},
        "a cancellation of a number": cancel | {"run_id": 1},
        "a number as reason": cancel | {"reason": 1},
        "a long reason": cancel | {"reason": "x" * (64 * 1024 + 1)},
        "two lines as cancelled_by": cancel | {"cancelled_by": "ann\r\nbob"},
        "an unblocking of nothing": {"type": "UnblockRun"},
        "an unblocking with a reason": unblock | {"reason": "x"},
        "a list as by": unblock | {"by": []},
        "a report of a step": {"type": "StepReported", "run_id": target.run_id},
    }


def _avro(target: Target) -> dict[str, bytes]:
    start = MARKER + fingerprint("StartRun") + avro_text(target.recipe)
    return {
        "a decision in Avro": avro(target, "decision"),
        "half an object as input in Avro": start + avro_text("{") + bytes(3),
        "a NaN as input in Avro": start + avro_text("NaN") + bytes(3),
        "a wrong run id in Avro": start + avro_text("{}") + b"\x02" + avro_text("a b") + bytes(2),
        "no recipe in Avro": MARKER + fingerprint("StartRun") + b"\0" + avro_text("{}") + bytes(3),
    }


def _late(target: Target) -> dict[str, tuple[Reason, dict[str, Any]]]:
    again = {"type": "StartRun", "recipe": target.recipe, "run_id": target.run_id}
    return {
        "an unknown recipe": ("unknown_recipe", {"type": "StartRun", "recipe": "no such recipe"}),
        "an unknown version": ("unknown_recipe", again | {"run_id": "v", "version": "none"}),
        "another input for a run": ("run_exists", again | {"input": {"poison": [1]}}),
        "a cancellation of no run": ("unknown_run", {"type": "CancelRun", "run_id": "never"}),
        "an unblocking of no run": ("unknown_run", {"type": "UnblockRun", "run_id": "never"}),
    }
