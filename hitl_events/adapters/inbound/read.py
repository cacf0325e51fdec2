"""Reads what anybody may put on the inbound topics: a record becomes a command, or is refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hitl_events.adapters.inbound.commands import BUILD, FIELDS, INTERNAL
from hitl_events.adapters.inbound.fields import Fields
from hitl_events.adapters.inbound.forms import PREFIX, Opener, Schemas
from hitl_events.adapters.inbound.headers import Headers
from hitl_events.adapters.inbound.refused import Unfit, shown
from hitl_events.domain.commands import Command, Origin
from hitl_events.domain.refusals import Reason, Refused
from hitl_events.ports import InboundKind, InboundRecord

_REASONS: dict[InboundKind, Reason] = {
    "decision": "invalid_decision",
    "command": "invalid_command",
}
_TYPES: dict[InboundKind, tuple[str, ...]] = {
    "decision": ("Decide",),
    "command": tuple(name for name in BUILD if name not in {"Decide", *INTERNAL}),
}


def read_inbound(
    record: InboundRecord, *, arrived_at: datetime, schemas: Schemas | None = None
) -> Command | Refused:
    """The command that the record is, or the first reason why it is none. It never raises.

    What an engine has to add: the seed of a start, the claim of a token. `schemas` finds those of
    records in the Confluent frame; without it they are `unreadable`. A schema that it does not know
    yet makes an `engine_error`, so ask for it before (`WriterSchemas.ready`).
    """
    reason = _REASONS[record.kind]
    headers = Headers(record, reason)
    try:
        said = Opener(record, headers, reason, schemas).said()
        name = _named(record, (headers.type(), *said.types))
        fields = Fields(said.fields, reason)
        if name == "Decide":
            fields.either("verdict", "decision")
        fields.only(FIELDS[name])
        from_engine = record.channel == "engine" and name not in INTERNAL
        origin = Origin(
            channel="topic" if from_engine else record.channel,
            source=record.source,
            traceparent=headers.traceparent(),
            arrived_at=arrived_at,
        )
        return BUILD[name](fields, headers, origin)
    except Unfit as unfit:
        return Refused(reason=unfit.reason, message=str(unfit))


def _named(record: InboundRecord, said: tuple[Any, ...]) -> str:
    """The command's name: from the header, from the body, or the same from both."""
    kind = record.kind
    types = [each for each in said if each is not None]
    if not all(isinstance(each, str) for each in types):
        raise _misnamed(kind, "a 'type' that is no text")
    names = {each.removeprefix(PREFIX) for each in types}
    if not names and kind == "command":
        raise _misnamed(kind, "no type: set the header ce_type or the field 'type'")
    if len(names) > 1:
        raise _misnamed(kind, "one type in the header and another in the body")
    name: str = names.pop() if names else "Decide"
    if name in INTERNAL and (kind, record.channel) == ("command", "engine"):
        return name
    if name not in _TYPES[kind]:
        raise _misnamed(kind, _found(kind, name))
    return name


def _found(kind: InboundKind, name: str) -> str:
    if name not in BUILD or name in INTERNAL:
        return shown(name)
    other = "decisions" if kind == "command" else "commands"
    return f"{PREFIX}{name}: send it to the topic of {other}"


def _misnamed(kind: InboundKind, found: str) -> Unfit:
    wanted = ", ".join(f"{PREFIX}{name}" for name in _TYPES[kind])
    return Unfit(_REASONS[kind], f"expected the type {wanted}; found {found}")
