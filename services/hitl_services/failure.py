"""Errors as their exit code, their one line and, with `--json`, their document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from hitl_events.domain.values import value
from hitl_events.errors import (
    CorruptLog,
    Fenced,
    HitlError,
    ImpossibleHistory,
    InvalidInput,
    LogUnavailable,
    NoThread,
    NotSerialisable,
    OffsetOutside,
    PartitionsChanged,
    ProcessDied,
    ReadModelDiffers,
    ReadOnlyLog,
    RecipeError,
    RecordTooLarge,
    RegistryUnavailable,
    RunLeft,
    TopicDiffers,
    UnknownRecipe,
    UnknownRun,
    UnsoundCheckpoint,
)
from hitl_services.text import harmless, without_tokens

LINE_CHARS_MAX = 2000

DONE = 0
REFUSED = 1
USAGE = 2
DIVERGED = 3
BROKEN_CHAIN = 4
UNREACHABLE = 5
CRASHED = 70
"""Of a process: a defect, a standstill, an end that hangs. Its supervisor starts it again."""
INTERRUPTED = 130

_KINDS: Mapping[type[HitlError], tuple[int, str]] = {
    UnknownRun: (REFUSED, "command.unknown_run"),
    UnknownRecipe: (USAGE, "command.unknown_recipe"),
    InvalidInput: (USAGE, "command.usage"),
    NotSerialisable: (USAGE, "command.usage"),
    RecipeError: (USAGE, "recipe.invalid"),
    ReadOnlyLog: (USAGE, "log.read_only"),
    TopicDiffers: (USAGE, "log.differs"),
    PartitionsChanged: (USAGE, "log.differs"),
    OffsetOutside: (UNREACHABLE, "log.differs"),
    ReadModelDiffers: (UNREACHABLE, "log.differs"),
    LogUnavailable: (UNREACHABLE, "log.unavailable"),
    Fenced: (UNREACHABLE, "log.unavailable"),
    RegistryUnavailable: (UNREACHABLE, "registry.unavailable"),
    CorruptLog: (UNREACHABLE, "log.corrupt"),
    UnsoundCheckpoint: (BROKEN_CHAIN, "checkpoint.unsound"),
    RecordTooLarge: (REFUSED, "command.too_large"),
    ImpossibleHistory: (UNREACHABLE, "log.corrupt"),
    ProcessDied: (UNREACHABLE, "process.died"),
    NoThread: (UNREACHABLE, "process.no_thread"),
}

_REASONS = frozenset({"unknown_run", "unknown_recipe", "engine_error"})
"""Codes here that are refusals of the closed list."""


@value
class Failure:
    """How a command ends that has no outcome to show."""

    exit_code: int
    code: str
    message: str
    run_id: str | None = None
    data: Mapping[str, object] = field(default_factory=dict[str, object])

    def line(self) -> str:
        """What stands on stderr: one line, no token, nothing that a terminal acts on."""
        return one_line(self.message)

    def document(self) -> dict[str, Any]:
        """An outcome with nothing but the diagnostic."""
        reason = self.code.removeprefix("command.")
        data = {"reason": reason, "winner": None} if reason in _REASONS else self.data
        diagnostic = {
            "level": "error",
            "code": self.code,
            "message": self.line(),
            "data": data,
        }
        nothing = dict.fromkeys(("recipe", "version", "seq"))
        shown: dict[str, Any] = {"artefact": {}, "diagnostics": [diagnostic], "trace": []}
        return {"status": "error", "run_id": self.run_id, **nothing, **shown}


def failure_of(error: HitlError) -> Failure:
    """The failure that an error of the library is to the one who typed the command."""
    kinds = (_KINDS[cls] for cls in type(error).__mro__ if cls in _KINDS)
    exit_code, code = next(kinds, (REFUSED, "command.engine_error"))
    run_id = error.run_id if isinstance(error, RunLeft) else None
    return Failure(exit_code=exit_code, code=code, message=str(error), run_id=run_id)


def of_system(error: OSError) -> Failure:
    """What the operating system refused, where nothing nearer could say more."""
    about = f" ({error.filename})" if error.filename else ""
    message = f"expected the system to allow it, found: {error.strerror or error}{about}"
    return Failure(exit_code=REFUSED, code="command.engine_error", message=message)


class WaitInterrupted(KeyboardInterrupt):
    """Ctrl-C after a record was sent: which one, and how to ask what became of it."""

    def __init__(self, message: str, run_id: str | None, decision_id: str | None) -> None:
        self.message = message
        self.run_id = run_id
        self.decision_id = decision_id
        super().__init__(message)


def interrupted(error: KeyboardInterrupt) -> Failure:
    """Ctrl-C."""
    if isinstance(error, WaitInterrupted):
        return Failure(
            exit_code=INTERRUPTED,
            code="command.interrupted",
            message=error.message,
            run_id=error.run_id,
            data={"run_id": error.run_id, "decision_id": error.decision_id},
        )
    message = "interrupted; what was recorded stays: `hitl runs` and `hitl pending` show it"
    return Failure(exit_code=INTERRUPTED, code="command.interrupted", message=message)


def unexpected(error: BaseException) -> Failure:
    """A defect of ours: what and where, so that it can be told, without a traceback."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = "" if at is None else f" at {at.tb_frame.f_code.co_filename}:{at.tb_lineno}"
    said = f"{type(error).__name__}: {error}{where}"
    message = f"expected no error, found one in hitl itself: {said}; please report this line"
    return Failure(exit_code=REFUSED, code="command.engine_error", message=message)


def one_line(message: str) -> str:
    """A message as one harmless line of a bounded length."""
    flat = " ".join(message.split())
    shown = harmless(without_tokens(flat))
    return shown if len(shown) <= LINE_CHARS_MAX else f"{shown[:LINE_CHARS_MAX]}..."
