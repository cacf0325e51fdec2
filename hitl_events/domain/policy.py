"""What a gate demands of a decision's data, judged from the recorded schema alone."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from hitl_events.domain import canonical
from hitl_events.domain.events import GatePaused

_SCHEMAS_CACHED = 256


def data_problem(paused: GatePaused, data: bytes | None) -> str | None:
    """Why the data does not fit the gate; None if it does. Data may always be left out."""
    if data is None:
        return None
    if paused.data_schema is None:
        return "expected no data, as the gate has no schema for it, found some"
    error = next(iter(_validator(paused.data_schema).iter_errors(canonical.loads(data))), None)
    return (
        None
        if error is None
        else f"expected data that fits the gate, at {error.json_path}: {_said(error)}"
    )


def _said(error: Any) -> str:
    """The validator's sentence without the value, which may be long or private."""
    return (
        f"{error.validator} {canonical.dumps(error.validator_value).decode()[:200]} does not hold"
    )


@lru_cache(_SCHEMAS_CACHED)
def _validator(schema: bytes) -> Any:
    # 60 ms of imports that only a gate with a data schema needs
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - see above

    return Draft202012Validator(canonical.loads(schema))
