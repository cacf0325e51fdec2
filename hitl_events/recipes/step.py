"""What a step is: its function, its options, and what its function can ask about itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias, cast

from hitl_events.domain.values import is_unicode, value
from hitl_events.errors import RecipeError

NAME_CHARS_MAX = 200
PAUSE_S_MAX = 366 * 24 * 3600
_FACTOR_MAX = 1_000
_SPECS_CACHED = 256
"""Steps as recipes ask for them: making one takes 1.4 us, finding it 0.3."""
_NAMES_CACHED = 1_024
"""Names of steps and gates that were checked."""


ErrorTypes: TypeAlias = type[BaseException] | Sequence[type[BaseException]]
Options: TypeAlias = tuple[
    str | None, bool, "Retry", timedelta | float | None, Callable[..., Any] | None
]
"""name, once, retry, timeout_s, undo"""


class Retry:
    """When a failed step is tried again.

    `attempts` counts all tries, the pause before the n-th retry is `initial_s * factor ** (n - 1)`,
    at most `max_s`. `on` are the exceptions worth a retry; `certain` those after which a `once`
    step is known not to have happened, so that it may be tried again without asking anybody.
    """

    __slots__ = ("attempts", "certain", "factor", "initial_s", "max_s", "on")

    def __init__(
        self,
        attempts: int = 1,
        *,
        initial_s: timedelta | float = 1.0,
        factor: float = 2.0,
        max_s: timedelta | float = 60.0,
        on: ErrorTypes = (Exception,),
        certain: ErrorTypes = (),
    ) -> None:
        initial_s, max_s = in_seconds(initial_s), in_seconds(max_s)
        for what, number, kinds in (("attempts", attempts, int), ("factor", factor, (int, float))):
            if not isinstance(cast("object", number), kinds):
                raise RecipeError(f"expected a number as {what}, found {number!r}")
        fits = attempts >= 1 and initial_s >= 0 and 1 <= factor <= _FACTOR_MAX
        if not fits or not 0 <= max_s <= PAUSE_S_MAX:
            wanted = f"attempts >= 1, initial_s >= 0, factor of 1 to {_FACTOR_MAX}"
            raise RecipeError(f"expected {wanted} and max_s of 0 to {PAUSE_S_MAX} (a year)")
        self.attempts = attempts
        self.initial_s: float = initial_s
        self.factor = factor
        self.max_s: float = max_s
        self.on = _error_types(on)
        self.certain = _error_types(certain)

    def pause(self, attempt: int) -> timedelta:
        """How long to wait after the failure of `attempt` (1, 2, ...)."""
        # the exponent is bounded so that a large one can not overflow
        grown = self.initial_s * self.factor ** min(attempt - 1, 64)
        return timedelta(seconds=min(grown, self.max_s))

    def again(self, error: BaseException, attempt: int, *, once: bool) -> bool:
        """Whether the failure of `attempt` is followed by another."""
        worth = self.certain if once else self.on
        return attempt < self.attempts and isinstance(error, worth)


def _error_types(named: Any) -> tuple[type[BaseException], ...]:
    types: tuple[Any, ...] = tuple(named) if _has_items(named) else (named,)
    # checked here, as `isinstance` would raise when the step has failed
    if not all(isinstance(each, type) and issubclass(each, BaseException) for each in types):
        raise RecipeError(f"expected exception types to try again on, found {named!r}")
    return types


def names(given: Any, what: str) -> tuple[Any, ...]:
    """Several names, as a list that an author wrote; `RecipeError` for what is none."""
    if isinstance(given, str) or not _has_items(given):
        kind = "text" if isinstance(given, str) else type(given).__name__
        raise RecipeError(f"expected a list as {what}, found the {kind} {given!r}")
    return tuple(given)


def _has_items(given: object) -> bool:
    return isinstance(given, Iterable) and not isinstance(given, type)


def in_seconds(duration: timedelta | float) -> float:
    """A duration in seconds."""
    given = cast("object", duration)
    if isinstance(given, timedelta):
        return given.total_seconds()
    if not isinstance(given, (int, float)):
        raise RecipeError(f"expected a duration in seconds or a timedelta, found {given!r}")
    return given


NO_RETRY = Retry()


def checked_retry(given: object) -> Retry:
    """`RecipeError` for what is none: it would raise when a step has failed, amid the runner."""
    if not isinstance(given, Retry):
        raise RecipeError(f"expected a Retry, as retry=Retry(attempts=3), found {given!r}")
    return given


@value
class StepSpec:
    """A step function with its options, as a recipe asked for it. Times in seconds."""

    name: str
    function: Callable[..., Any]
    once: bool = False
    retry: Retry = NO_RETRY
    timeout_s: float | None = None
    undo: Callable[..., Any] | None = None


def spec_of(function: Callable[..., Any], options: Options) -> StepSpec:
    """A step with its options, checked. A recipe asks for the same few in each of its runs."""
    try:
        return _cached_spec(function, options)
    except TypeError:
        return _make_spec(function, options)  # a callable that can not be hashed


def _make_spec(function: Callable[..., Any], options: Options) -> StepSpec:
    name, once, retry, timeout_s, undo = options
    if undo is not None and not callable(undo):
        raise RecipeError(f"expected a function that gets the output as undo, found {undo!r}")
    return StepSpec(
        name=name_of(function, name),
        function=function,
        once=once,
        retry=checked_retry(retry),
        timeout_s=seconds(timeout_s),
        undo=undo,
    )


_cached_spec = lru_cache(_SPECS_CACHED)(_make_spec)


@value
class Step:
    """What a running step function can know: `key` is its name for the target's de-duplication."""

    key: str
    attempt: int
    deadline: datetime | None


_current: ContextVar[Step] = ContextVar("hitl_step")


def current_step() -> Step:
    """The step that is running here; `RecipeError` outside of a step function."""
    try:
        return _current.get()
    except LookupError:
        raise RecipeError("expected a call inside a step function, found one outside") from None


def enter_step(step: Step) -> None:
    """Make `step` the current one of this context."""
    _current.set(step)


def seconds(duration: timedelta | float | None) -> float | None:
    """A duration option in seconds."""
    found = None if duration is None else in_seconds(duration)
    if found is not None and not 0 < found <= PAUSE_S_MAX:
        wanted = f"expected timeout_s of more than 0 and at most {PAUSE_S_MAX} (a year)"
        raise RecipeError(f"{wanted}, found {found}")
    return found


def name_of(function: object, given: str | None) -> str:
    """The step's name: as given, else the function's."""
    if given is not None and not isinstance(cast("object", given), str):
        raise RecipeError(f"expected a text as name, found {given!r}")
    if not callable(function):
        what = type(function).__name__
        raise RecipeError(f"expected a function and its arguments, found a {what}: run.step(fn, x)")
    return _checked(given if given is not None else getattr(function, "__name__", ""))


@lru_cache(_NAMES_CACHED)
def _checked(name: str) -> str:
    fits = 0 < len(name) <= NAME_CHARS_MAX and "\x00" not in name and is_unicode(name)
    if not fits or name == "<lambda>":
        message = f"expected a step name of 1 to {NAME_CHARS_MAX} characters, found {name[:40]!r}"
        raise RecipeError(f"{message}; give it one with name=")
    return name
