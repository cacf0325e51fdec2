"""The handle that a recipe's body works with; everything it gives comes from the history."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol, TypeVar, Unpack, overload
from uuid import UUID

from hitl_events.domain.reconcile import RECONCILE_PREFIX
from hitl_events.domain.requests import OPTIONS_BYTES_FREE, USER_BYTES_MAX
from hitl_events.domain.values import RunId
from hitl_events.errors import NotSerialisable, RecipeError
from hitl_events.recipes import values
from hitl_events.recipes.calls import (
    AllCall,
    CallKey,
    Decision,
    GateCall,
    GateFields,
    GateOptions,
    PauseKind,
    Signal,
    StepCall,
    options_of,
)
from hitl_events.recipes.step import NO_RETRY, Retry, name_of, names, spec_of

_T = TypeVar("_T")
_A = TypeVar("_A")
_B = TypeVar("_B")
_C = TypeVar("_C")
_D = TypeVar("_D")
_E = TypeVar("_E")


class TooLarge(NotSerialisable):
    """A draft, output or result that would not fit into one event."""

    def __init__(self, what: str, found_bytes: int) -> None:
        super().__init__(
            "$", f"{what} of {found_bytes} bytes, of which {USER_BYTES_MAX} are allowed"
        )


class History(Protocol):
    """What the driver knows and the handle passes on."""

    run_id: RunId
    seed: bytes
    now: datetime
    step_defaults: StepDefaults
    forgotten: list[CallKey]
    """What was asked for and went away without having been awaited."""

    def occurrence(self, kind: str, name: str) -> int:
        """Count a use of a name: 1, 2, ..."""
        ...

    def set(self, signal: Signal) -> None:
        """Let the branches that wait for a signal go on."""
        ...

    async def undo(self) -> None:
        """Run the undo steps of what is done, last first."""
        ...


class StepDefaults:
    """Options of every step of a recipe that does not give its own (`Recipe.configure`)."""

    __slots__ = ("retry", "timeout_s")

    def __init__(self, retry: Retry = NO_RETRY, timeout_s: float | None = None) -> None:
        self.retry = retry
        self.timeout_s = timeout_s


class Run:
    """One run, seen from inside its recipe. Steps are the only place for I/O."""

    __slots__ = ("_drawn", "_history")

    def __init__(self, history: History) -> None:
        self._history = history
        self._drawn = 0

    @property
    def id(self) -> RunId:
        """The run's id."""
        return self._history.run_id

    def now(self) -> datetime:
        """The time of the event that the recipe saw last; never goes back."""
        return self._history.now

    def random(self) -> float:
        """A float in [0, 1), the same on every replay."""
        return (int.from_bytes(self._draw(b"random")[:8], "big") >> 11) / (1 << 53)

    def uuid(self) -> UUID:
        """A UUID, the same on every replay."""
        return UUID(bytes=self._draw(b"uuid")[:16], version=4)

    def _draw(self, purpose: bytes) -> bytes:
        self._drawn += 1
        return sha256(self._history.seed + purpose + self._drawn.to_bytes(8, "big")).digest()

    @overload
    def step(
        self,
        fn: Callable[..., Awaitable[_T]],
        *args: Any,
        name: str | None = ...,
        once: bool = ...,
        retry: Retry | None = ...,
        timeout_s: timedelta | float | None = ...,
        undo: Callable[..., Any] | None = ...,
        **kwargs: Any,
    ) -> StepCall[_T]: ...

    @overload
    def step(
        self,
        fn: Callable[..., _T],
        *args: Any,
        name: str | None = ...,
        once: bool = ...,
        retry: Retry | None = ...,
        timeout_s: timedelta | float | None = ...,
        undo: Callable[..., Any] | None = ...,
        **kwargs: Any,
    ) -> StepCall[_T]: ...

    def step(
        self,
        fn: Callable[..., Any],
        *args: Any,
        name: str | None = None,
        once: bool = False,
        retry: Retry | None = None,
        timeout_s: timedelta | float | None = None,
        undo: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> StepCall[Any]:
        """Ask for a unit of work; awaited, it gives the recorded output or raises `StepError`.

        `once`: never run again after a crash in between, a human says whether it happened.
        `undo`: a function that gets the output and takes it back (`Run.undo`).
        """
        defaults = self._history.step_defaults
        limit = defaults.timeout_s if timeout_s is None else timeout_s
        spec = spec_of(fn, (name, once, retry or defaults.retry, limit, undo))
        packed = values.dump_arguments(args, kwargs)
        occurrence = self._history.occurrence("step", spec.name)
        key = "step", spec.name, occurrence
        return StepCall(key, spec, packed, self._history.forgotten)

    @overload
    def gate(
        self, name: str, *, data: None = ..., **options: Unpack[GateFields]
    ) -> GateCall[Decision[None]]: ...

    @overload
    def gate(
        self, name: str, *, data: type[_T], **options: Unpack[GateFields]
    ) -> GateCall[Decision[_T]]: ...

    @overload
    def gate(
        self, name: str, *, data: object, **options: Unpack[GateFields]
    ) -> GateCall[Decision[Any]]: ...

    def gate(  # noqa: PLR0913 - options by name, as CONTRACT has them
        self,
        name: str,
        *,
        draft: Any = None,
        verdicts: Sequence[str] = ("approve", "deny"),
        data: Any = None,
        kind: PauseKind = "human",
        expires_in: timedelta | float | None = None,
        on_expiry: str | None = None,
    ) -> GateCall[Decision[Any]]:
        """Pause for a decision; awaited, it gives the `Decision` or raises `GateExpired`."""
        offered = names(verdicts, "verdicts")
        options = options_of(offered, data, kind, expires_in, on_expiry)
        return self.gate_with(name, draft, options)

    def gate_with(self, name: str, draft: Any, options: GateOptions) -> GateCall[Decision[Any]]:
        """`gate` with its options as one value."""
        gate = name_of(self.gate, name)
        if gate.startswith(RECONCILE_PREFIX):
            raise RecipeError(f"expected a gate name without {RECONCILE_PREFIX!r}, found {gate!r}")
        shown = values.dump(draft)
        around_bytes = max(0, options.size_bytes - OPTIONS_BYTES_FREE)
        if len(shown) + around_bytes > USER_BYTES_MAX:
            what = "a draft" if not around_bytes else "a draft with its schema and verdicts"
            raise TooLarge(what, len(shown) + around_bytes)
        key = "gate", gate, self._history.occurrence("gate", gate)
        return GateCall(key, shown, options, self._history.forgotten)

    @overload
    def all(self) -> AllCall[tuple[()]]: ...

    @overload
    def all(self, a: Awaitable[_A], /) -> AllCall[tuple[_A]]: ...

    @overload
    def all(self, a: Awaitable[_A], b: Awaitable[_B], /) -> AllCall[tuple[_A, _B]]: ...

    @overload
    def all(
        self, a: Awaitable[_A], b: Awaitable[_B], c: Awaitable[_C], /
    ) -> AllCall[tuple[_A, _B, _C]]: ...

    @overload
    def all(
        self, a: Awaitable[_A], b: Awaitable[_B], c: Awaitable[_C], d: Awaitable[_D], /
    ) -> AllCall[tuple[_A, _B, _C, _D]]: ...

    @overload
    def all(
        self,
        a: Awaitable[_A],
        b: Awaitable[_B],
        c: Awaitable[_C],
        d: Awaitable[_D],
        e: Awaitable[_E],
        /,
    ) -> AllCall[tuple[_A, _B, _C, _D, _E]]: ...

    @overload
    def all(self, *items: Awaitable[_T]) -> AllCall[tuple[_T, ...]]: ...

    def all(self, *items: Awaitable[Any]) -> AllCall[Any]:
        """Steps, gates and `async def` branches at the same time; results by position."""
        return AllCall(items, self._history.forgotten)

    async def undo(self) -> None:
        """Take back what is done, last first; raises the first `StepError` after all were tried."""
        await self._history.undo()


def set_signal(run: Run, signal: Signal) -> None:
    """Set a signal of this run's branches (the builder's "this node is done")."""
    # The handle shows authors nothing but its methods.
    run._history.set(signal)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]  # see above
