"""The records that our own processes put into the intake: JSON, as any sender would write it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from hitl_events.adapters.inbound.commands import FIELDS
from hitl_events.domain import canonical
from hitl_events.domain.values import iso
from hitl_events.engine.inputs import StepReport
from hitl_events.errors import InvalidInput

_DIGESTS = ("draft_digest", "args_digest")


def decision_json(**fields: Any) -> bytes:
    """A decision, by the field names of the contract; what is None is left out.

    `NotSerialisable` for a value that is no JSON.
    """
    return canonical.dumps(_plain("Decide", fields), around=1)


def command_json(
    name: Literal["StartRun", "CancelRun", "UnblockRun", "StepReported"], /, **fields: Any
) -> bytes:
    """A command with its type, by the field names of the contract; what is None is left out."""
    return canonical.dumps({"type": name, **_plain(name, fields)}, around=1)


def report_json(report: StepReport) -> bytes:
    """The end of a step for the owner of its run; `NotSerialisable` for a text that is no JSON."""
    kind, step, occurrence = report.key
    again = report.retry_in
    return command_json(
        "StepReported",
        run_id=report.run_id,
        step=step,
        occurrence=occurrence,
        kind=kind,
        attempt=report.attempt,
        args_digest=report.args_digest,
        duration_us=report.duration_us,
        result="failed" if report.output is None else "completed",
        output=report.output,
        error=report.error or None,
        message=report.message or None,
        retry_in_us=None if again is None else again // timedelta(microseconds=1),
    )


def _plain(name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    unknown = ", ".join(fields.keys() - FIELDS[name])
    if unknown:
        raise InvalidInput(f"expected fields of {name}, found {unknown}")
    return {key: _json(key, value) for key, value in fields.items() if value is not None}


def _json(key: str, value: Any) -> Any:
    """JSON values as they are; what the domain holds in another form, in that of the contract."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, bytes):
        return value.hex() if key in _DIGESTS else canonical.loads(value)
    return value
