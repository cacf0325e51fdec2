"""The sound records of which bad ones are made, member by member."""

from __future__ import annotations

import json
from typing import Any

from hitl_events.adapters.avro import fingerprint
from hitl_events.adapters.avro.primitives import write_long
from hitl_events.adapters.avro.schemas import MARKER
from hitl_events.ports import InboundKind
from hitl_events.testing.poison.record import Target

POISON_RUN = "poison"
"""The run that a bad start would start."""


def fields(target: Target, kind: InboundKind) -> dict[str, Any]:
    """A decision that would approve the gate, or a start that would begin a run."""
    if kind == "decision":
        return {"token": target.token, "verdict": "approve"}
    return {"type": "StartRun", "recipe": target.recipe, "run_id": POISON_RUN}


def text(target: Target, kind: InboundKind, **more: Any) -> bytes:  # noqa: ANN401 - any JSON
    """The same as JSON, with more members or with others."""
    return json.dumps(fields(target, kind) | more).encode()


def raw(target: Target, kind: InboundKind, member: bytes) -> bytes:
    """The same with one more member, in whatever spelling: `b'"notes":NaN'`."""
    return text(target, kind)[:-1] + b"," + member + b"}"


def payload(kind: InboundKind) -> bytes:
    """The name of the member that may be any JSON, quoted."""
    return b'"data"' if kind == "decision" else b'"input"'


def avro(target: Target, kind: InboundKind) -> bytes:
    """The same in single-object encoding."""
    if kind == "decision":
        body = avro_text(target.token) + avro_text("approve") + bytes(6)
        return MARKER + fingerprint("Decide") + body
    run_id = b"\x02" + avro_text(POISON_RUN)
    body = avro_text(target.recipe) + avro_text("{}") + run_id + bytes(2)
    return MARKER + fingerprint("StartRun") + body


def avro_text(said: str) -> bytes:
    """A string as Avro has it."""
    return write_long(len(said.encode())) + said.encode()
