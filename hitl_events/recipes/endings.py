"""What a recipe came to, as the event it will be, and whether a recorded end is the same."""

from __future__ import annotations

from typing import Any

from hitl_events.domain.events import RunCancelled, RunCompleted, RunFailed
from hitl_events.domain.requests import USER_BYTES_MAX, RunEnd
from hitl_events.errors import GateExpired, NotSerialisable, StepError
from hitl_events.recipes import values
from hitl_events.recipes.run import TooLarge
from hitl_events.recipes.step import NAME_CHARS_MAX

MESSAGE_CHARS_MAX = 4_000
OUTPUT_CODES = frozenset({"output.not_serialisable", "output.too_large"})


def ending_of(result: Any, error: Exception | None) -> RunCompleted | RunFailed:
    """The end of a body that returned `result` or raised `error`."""
    if error is not None:
        return _failed(error)
    try:
        packed = values.dump(result)
    except NotSerialisable as refused:
        return _failed(refused)
    if len(packed) > USER_BYTES_MAX:
        return _failed(TooLarge("a result", len(packed)))
    return RunCompleted(result=packed)


def same_end(ending: RunEnd, event: RunEnd) -> bool:
    """True if a recorded end is what the code comes to now; wordings may change with the code."""
    match ending, event:
        case RunCompleted(), RunCompleted():
            return ending.result == event.result
        case RunFailed(), RunFailed():
            return (ending.code, ending.step) == (event.code, event.step)
        case _:
            return type(ending) is type(event) is RunCancelled


def message_of(error: BaseException) -> str:
    """What an exception says, as text that a record can hold (file names may be no Unicode)."""
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - the user's own __str__ may raise whatever it likes
        text = f"(its text can not be had: {type(broken).__name__})"
    return _recordable(text, MESSAGE_CHARS_MAX)


def name_of_error(error: BaseException) -> str:
    """What kind of exception it is; the names of classes that a program makes know no bound."""
    return _recordable(type(error).__name__, NAME_CHARS_MAX)


def _recordable(text: str, chars_max: int) -> str:
    return text[:chars_max].encode("utf-8", "backslashreplace").decode()[:chars_max]


def _failed(error: Exception) -> RunFailed:
    message = message_of(error)
    match error:
        case StepError():
            code = error.error if error.error in OUTPUT_CODES else "step.failed"
            step = _recordable(error.step, NAME_CHARS_MAX)  # it may be the recipe's own
            return RunFailed(code=code, message=message, step=step)
        case GateExpired():
            return RunFailed(code="gate.expired", message=message)
        case TooLarge():
            return RunFailed(code="output.too_large", message=message)
        case NotSerialisable():
            return RunFailed(code="output.not_serialisable", message=message)
        case _:
            return RunFailed(code="recipe.failed", message=f"{name_of_error(error)}: {message}")
