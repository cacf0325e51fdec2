"""The commands that records can be, and what each says in which field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from hitl_events.adapters.inbound.fields import Fields
from hitl_events.adapters.inbound.headers import Headers
from hitl_events.adapters.inbound.refused import (
    ID_CHARS_MAX,
    NAME_CHARS_MAX,
    NOTES_CHARS_MAX,
    RECORD_BYTES_MAX,
    VERDICT_CHARS_MAX,
    VERSION_CHARS_MAX,
    Unfit,
)
from hitl_events.domain.canonical import NULL
from hitl_events.domain.commands import (
    CancelRun,
    Command,
    Decide,
    Origin,
    StartRun,
    StepReported,
    UnblockRun,
)
from hitl_events.domain.content import content_digest
from hitl_events.domain.decide import SCHEDULE_PREFIX
from hitl_events.domain.values import RUN_ID, RunId, maker

FIELDS: Mapping[str, tuple[str, ...]] = {
    "StartRun": ("recipe", "input", "run_id", "version", "started_by"),
    "Decide": (
        "token",
        "verdict",
        "notes",
        "data",
        "decision_id",
        "decided_by",
        "draft_digest",
        "decided_at",
    ),
    "CancelRun": ("run_id", "reason", "cancelled_by"),
    "UnblockRun": ("run_id", "by"),
    "StepReported": (
        "run_id",
        "step",
        "occurrence",
        "kind",
        "attempt",
        "args_digest",
        "duration_us",
        "result",
        "output",
        "error",
        "message",
        "retry_in_us",
    ),
}
"""Field names of each command, those of its schema."""
INTERNAL = ("StepReported",)
"""Commands that only an engine may send."""

ARGS_DIGEST_BYTES = 8

_new_start = maker(StartRun)
_new_decide = maker(Decide)
Build = Callable[[Fields, Headers, Origin], Command]


def start(fields: Fields, headers: Headers, origin: Origin) -> StartRun:
    """`input` may be left out by a recipe that takes none; the engine adds the seed."""
    return _new_start(
        recipe=fields.required("recipe", NAME_CHARS_MAX),
        input=fields.json("input") or NULL,
        run_id=_run_id(fields) or headers.run_id(),
        version=fields.text("version", VERSION_CHARS_MAX, chars_min=1),
        command_id=headers.id(),
        started_by=fields.person("started_by"),
        origin=origin,
    )


def decide(fields: Fields, headers: Headers, origin: Origin) -> Decide:
    """A token of any length goes through: only its MAC says that it is none (`invalid_token`)."""
    token = fields.required("token", RECORD_BYTES_MAX)
    verdict = fields.required("verdict", VERDICT_CHARS_MAX)
    notes = fields.text("notes", NOTES_CHARS_MAX)
    data = fields.json("data", kind=dict)
    decided_by = fields.person("decided_by")
    draft_digest = fields.digest("draft_digest")
    return _new_decide(
        token=token,
        verdict=verdict,
        notes=notes,
        data=data,
        decision_id=_decision_id(fields, headers),
        content_digest=content_digest(
            token=token,
            verdict=verdict,
            notes=notes,
            data=data,
            decided_by=decided_by,
            draft_digest=draft_digest,
        ),
        decided_by=decided_by,
        draft_digest=draft_digest,
        decided_at=fields.time("decided_at"),
        origin=origin,
    )


def cancel(fields: Fields, headers: Headers, origin: Origin) -> CancelRun:
    """The reason may be left out."""
    return CancelRun(
        run_id=_required_run_id(fields),
        reason=fields.text("reason", NOTES_CHARS_MAX) or "",
        cancelled_by=fields.person("cancelled_by"),
        command_id=headers.id(),
        origin=origin,
    )


def unblock(fields: Fields, headers: Headers, origin: Origin) -> UnblockRun:
    """Who asks may be left out."""
    return UnblockRun(
        run_id=_required_run_id(fields),
        by=fields.person("by"),
        command_id=headers.id(),
        origin=origin,
    )


def step_reported(fields: Fields, headers: Headers, origin: Origin) -> StepReported:
    """An engine wrote it; still nothing is believed that does not fit."""
    completed = fields.choice("result", ("completed", "failed")) == "completed"
    output = fields.json("output") or NULL
    retry_in_us = fields.number("retry_in_us", 0)
    return StepReported(
        run_id=_required_run_id(fields),
        step=fields.required("step", NAME_CHARS_MAX),
        occurrence=fields.required_number("occurrence", 1),
        kind=fields.choice("kind", ("step", "undo")),
        attempt=fields.required_number("attempt", 1),
        args_digest=fields.required_digest("args_digest", ARGS_DIGEST_BYTES),
        duration_us=fields.required_number("duration_us", 0),
        output=output if completed else None,
        error=fields.text("error", NOTES_CHARS_MAX) or "",
        message=fields.text("message", NOTES_CHARS_MAX) or "",
        retry_in=None if retry_in_us is None else timedelta(microseconds=retry_in_us),
        command_id=headers.id(),
        origin=origin,
    )


BUILD: Mapping[str, Build] = {
    "StartRun": start,
    "Decide": decide,
    "CancelRun": cancel,
    "UnblockRun": unblock,
    "StepReported": step_reported,
}


def _decision_id(fields: Fields, headers: Headers) -> str:
    given = fields.text("decision_id", ID_CHARS_MAX, chars_min=1) or headers.id()
    if given.startswith(SCHEDULE_PREFIX):
        raise Unfit("invalid_decision", f"expected a decision id without {SCHEDULE_PREFIX!r}")
    return given


def _run_id(fields: Fields) -> RunId | None:
    text = fields.text("run_id", RECORD_BYTES_MAX)
    if text is not None and not RUN_ID.fullmatch(text):
        raise Unfit("invalid_command", "expected 1 to 64 of A-Z a-z 0-9 _ . ~ - as 'run_id'")
    return None if text is None else RunId(text)


def _required_run_id(fields: Fields) -> RunId:
    run_id = _run_id(fields)
    if run_id is None:
        raise Unfit("invalid_command", "expected a 'run_id', found none")
    return run_id
