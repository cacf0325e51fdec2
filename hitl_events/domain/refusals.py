"""The closed list of reasons for which a command is refused, and the refusal as a value."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias, get_args

from hitl_events.domain.values import value

Reason: TypeAlias = Literal[
    "unreadable",
    "unknown_schema",
    "too_large",
    "invalid_decision",
    "invalid_command",
    "unknown_recipe",
    "run_exists",
    "unknown_run",
    "invalid_token",
    "token_used",
    "token_expired",
    "superseded",
    "run_ended",
    "unknown_verdict",
    "invalid_data",
    "artefact_changed",
    "not_allowed",
    "conflict",
    "misrouted",
    "engine_error",
]
REASONS: tuple[Reason, ...] = get_args(Reason)

REJECTED_PER_RUN_MAX = 100
"""Refusals kept as events of a run; later ones are dead letters, so that nobody fills a stream."""

_RESUME_CODES: dict[str, str] = {
    "invalid_decision": "resume.incompatible_input",
    "unknown_verdict": "resume.incompatible_input",
    "invalid_data": "resume.incompatible_input",
} | {
    reason: f"resume.{reason}"
    for reason in (
        "invalid_token",
        "token_used",
        "token_expired",
        "superseded",
        "run_ended",
        "artefact_changed",
        "conflict",
        "not_allowed",
    )
}


@value
class Winner:
    """The decision that closed the gate, as it is named to the late ones."""

    decision_id: str
    verdict: str
    decided_by: str | None
    decided_at: datetime


@value
class Rejection:
    """The answer to a refused command. `recorded` is true where it becomes an event of the run."""

    reason: Reason
    message: str
    winner: Winner | None = None
    recorded: bool = False
    gate: str | None = None
    occurrence: int | None = None


@value
class Refused:
    """Why a record is no command; `message` names no token and nothing of a draft."""

    reason: Reason
    message: str


@value
class Repeat:
    """The same id with the same content again: answered as the first one was, without an event."""

    seq: int
    rejection: Rejection | None = None


def diagnostic_code(reason: Reason, *, decision: bool) -> str:
    """The code of a refusal: `resume.*` for decisions, `command.<reason>` for the rest."""
    fallback = f"command.{reason}"
    return _RESUME_CODES.get(reason, fallback) if decision else fallback
