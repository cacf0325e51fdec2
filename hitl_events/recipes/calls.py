"""What a recipe may await: each yields itself to the driver, which sends the result back."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Generic, Literal, TypeAlias, TypedDict, TypeVar, cast

from hitl_events.domain import canonical
from hitl_events.domain.events import DecisionReceived
from hitl_events.domain.requests import GateRequest, StepRequest
from hitl_events.domain.values import digest, is_unicode, maker
from hitl_events.errors import RecipeError
from hitl_events.recipes import values
from hitl_events.recipes.step import StepSpec, in_seconds

VERDICT_CHARS_MAX = 64
VERDICTS_MAX = 100
"""A refusal names them all, in an event beside the 512 KiB that a decision may bring."""
EXPIRES_IN_MAX = timedelta(days=36_500)
"""A century: a time beyond it is a mistake, and beyond year 9999 none at all."""

_ANYTHING = b"{}"
"""The JSON schema that all data fits."""
_REFERENCES_MAX = 16
"""A schema may refer to itself; beyond so many it is taken to fit."""

PauseKind: TypeAlias = Literal["human", "external", "system", "schedule"]
PAUSE_KINDS: tuple[PauseKind, ...] = ("human", "external", "system", "schedule")

_OPTIONS_CACHED = 256
"""Gates as recipes ask for them: checking the options of one takes 1 us, finding them 0.4."""

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

CallKey: TypeAlias = tuple[str, str, int]
"""(kind, name, occurrence)."""

_new_step = maker(StepRequest)
_new_gate = maker(GateRequest)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Decision(Generic[_T_co]):
    """What came back through a gate. `data` is the gate's model, rebuilt from what was recorded.

    It may be an argument of a step, a draft or a result, and is recorded with all its fields then.
    """

    verdict: str
    notes: str | None
    data: _T_co | None
    decided_by: str | None
    decision_id: str
    decided_at: datetime
    resolution: str | None

    def __repr__(self) -> str:
        return f"Decision(verdict={self.verdict!r}, decision_id={self.decision_id!r})"


def decision_of(event: DecisionReceived, data: Any) -> Decision[Any]:
    """What a recipe sees of a decision, `data` being rebuilt."""
    return Decision(
        verdict=event.verdict,
        notes=event.notes,
        data=data,
        decided_by=event.decided_by,
        decision_id=event.decision_id,
        decided_at=event.recorded_at,
        resolution=event.resolution,
    )


class Call(Generic[_T]):
    """An awaitable of the driver's. `key` is (kind, name, occurrence).

    One that goes away and was not awaited adds its key to `forgotten`.
    """

    __slots__ = ("forgotten", "is_awaited", "key")

    def __init__(self, key: CallKey, forgotten: list[CallKey] | None = None) -> None:
        self.key = key
        self.is_awaited = False
        self.forgotten = forgotten

    def __await__(self) -> Generator[Any, Any, _T]:
        self.forgotten = None
        result: _T = yield self
        return result

    def __del__(self) -> None:
        if self.forgotten is not None:
            self.forgotten.append(self.key)


class StepCall(Call[_T]):
    """A step asked for."""

    __slots__ = ("request",)

    def __init__(
        self,
        key: CallKey,
        spec: StepSpec,
        args: bytes,
        forgotten: list[CallKey] | None = None,
    ) -> None:
        super().__init__(key, forgotten)
        self.request = _new_step(
            key=key, args=args, args_digest=digest(args)[:8], once=spec.once, spec=spec
        )

    @property
    def spec(self) -> StepSpec:
        """The function and its options."""
        spec: StepSpec = self.request.spec
        return spec

    @property
    def returns(self) -> Any:
        """The annotation from which the result is rebuilt."""
        return values.return_type(self.spec.function)


class GateCall(Call[_T]):
    """A gate asked for; `draft` is canonical JSON, `data` the type of what a decision brings."""

    __slots__ = ("data", "request")

    def __init__(
        self,
        key: CallKey,
        draft: bytes,
        options: GateOptions,
        forgotten: list[CallKey] | None = None,
    ) -> None:
        super().__init__(key, forgotten)
        self.data = options.data
        self.request = _new_gate(
            key=key[1:],
            draft=draft,
            draft_digest=digest(draft),
            verdicts=options.verdicts,
            data_schema=options.data_schema,
            pause_kind=options.pause_kind,
            expires_in=options.expires_in,
            on_expiry=options.on_expiry,
        )


class GateFields(TypedDict, total=False):
    """What a recipe may say about a gate beside its name and the type of its data."""

    draft: Any
    verdicts: Sequence[str]
    kind: PauseKind
    expires_in: timedelta | float | None
    on_expiry: str | None


class GateOptions:
    """How a gate behaves, checked once. `size_bytes` is what that takes of its event."""

    __slots__ = (
        "data",
        "data_schema",
        "expires_in",
        "on_expiry",
        "pause_kind",
        "size_bytes",
        "verdicts",
    )

    def __init__(
        self,
        *,
        verdicts: Sequence[str] = ("approve", "deny"),
        data: Any = None,
        kind: str = "human",
        expires_in: timedelta | float | None = None,
        on_expiry: str | None = None,
    ) -> None:
        if kind not in PAUSE_KINDS:
            raise RecipeError(f"expected a gate kind of {', '.join(PAUSE_KINDS)}, found {kind!r}")
        if isinstance(verdicts, str):
            raise RecipeError(f"expected a list of verdicts, found the text {verdicts!r}")
        _check_verdicts(tuple(verdicts), on_expiry)
        if on_expiry is not None and expires_in is None:
            raise RecipeError("expected expires_in with on_expiry, found on_expiry alone")
        self.verdicts = tuple(verdicts)
        self.data = data
        self.data_schema = None if data is None else _object_schema(data)
        self.pause_kind = kind
        self.on_expiry = on_expiry
        self.expires_in = None if expires_in is None else _wait_of(expires_in)
        self.size_bytes = len(self.data_schema or b"") + sum(
            len(verdict.encode()) for verdict in self.verdicts
        )


def options_of(
    verdicts: Sequence[str],
    data: Any,
    kind: str,
    expires_in: timedelta | float | None,
    on_expiry: str | None,
) -> GateOptions:
    """The options of a gate. A recipe asks for the same few in each of its runs."""
    try:
        return _cached_options(verdicts, data, kind, expires_in, on_expiry)
    except TypeError:  # a type of data that can not be hashed
        return _make_options(verdicts, data, kind, expires_in, on_expiry)


def _make_options(
    verdicts: Sequence[str],
    data: Any,
    kind: str,
    expires_in: timedelta | float | None,
    on_expiry: str | None,
) -> GateOptions:
    return GateOptions(
        verdicts=verdicts, data=data, kind=kind, expires_in=expires_in, on_expiry=on_expiry
    )


_cached_options = lru_cache(_OPTIONS_CACHED)(_make_options)


def _object_schema(data: Any) -> bytes:
    """The JSON schema of the data; a decision brings an object, so one that takes none is wrong."""
    schema = values.json_schema(data) or _ANYTHING
    found: dict[str, Any] = canonical.loads(schema)
    if not _takes_objects(found, found.get("$defs", {}), _REFERENCES_MAX):
        wanted = getattr(data, "__qualname__", data)
        message = "expected an object (a model, a dataclass, a dict) as the data of a gate"
        raise RecipeError(f"{message}, found {wanted}, which no decision can bring")
    return schema


def _takes_objects(schema: Any, definitions: dict[str, Any], left: int) -> bool:
    """False where it is sure that no object fits the schema."""
    if not isinstance(schema, dict) or not left:
        return schema is not False
    held = cast("dict[str, Any]", schema)
    named = definitions.get(str(held.get("$ref")).rpartition("/")[2], True)
    choices = held.get("anyOf") or held.get("oneOf") or [True]
    types = held.get("type", "object")
    listed = held.get("enum") or [held.get("const", {})]
    return (
        "object" in types  # a name or a list of names
        and any(isinstance(each, dict) for each in listed)
        and _takes_objects(named, definitions, left - 1)
        and any(_takes_objects(each, definitions, left - 1) for each in choices)
    )


def _check_verdicts(verdicts: tuple[object, ...], on_expiry: object) -> None:
    if not verdicts or len(set(verdicts)) != len(verdicts):
        raise RecipeError(f"expected one or more different verdicts, found {verdicts!r}")
    if len(verdicts) > VERDICTS_MAX:
        message = f"expected at most {VERDICTS_MAX} verdicts, found {len(verdicts)}"
        raise RecipeError(f"{message}: let the gate's data say more")
    for verdict in verdicts if on_expiry is None else (*verdicts, on_expiry):
        fits = isinstance(verdict, str) and 1 <= len(verdict) <= VERDICT_CHARS_MAX
        if not fits or not is_unicode(str(verdict)):
            message = f"expected verdicts of 1 to {VERDICT_CHARS_MAX} characters"
            raise RecipeError(f"{message}, found {str(verdict)[:VERDICT_CHARS_MAX]!r}")


def _wait_of(expires_in: timedelta | float) -> timedelta:
    wait_s = in_seconds(expires_in)
    if not 0 <= wait_s <= EXPIRES_IN_MAX.total_seconds():  # before it is a timedelta: it may be NaN
        raise RecipeError(f"expected expires_in of 0 to {EXPIRES_IN_MAX}, found {expires_in}")
    return expires_in if isinstance(expires_in, timedelta) else timedelta(seconds=expires_in)


class AllCall(Call[_T]):
    """Several awaitables at the same time; results by position."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[Awaitable[Any]], forgotten: list[CallKey]) -> None:
        super().__init__(("all", "", 0), forgotten)
        self.items = items


class Signal(Call[None]):
    """Something that branches of one recipe wait for and another one sets; stands in no event."""

    __slots__ = ("is_set",)

    def __init__(self) -> None:
        super().__init__(("signal", "", 0))
        self.is_set = False
