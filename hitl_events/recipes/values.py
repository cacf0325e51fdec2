"""User values to recorded bytes and back: JSON values, dataclasses, pydantic models.

With `plain` the only module of the core that knows pydantic. A recipe sees what `load` makes of
recorded bytes, live as on replay, so that both see the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from hitl_events.domain import canonical
from hitl_events.errors import InvalidInput, NotSerialisable, RecipeError
from hitl_events.recipes.hints import hints
from hitl_events.recipes.plain import JSON_SCALARS, lost, to_plain

_PLAIN: frozenset[Any] = frozenset({Any, object})
"""Annotations that ask for nothing more than the JSON value; rebuilding them would be a copy."""

_EXACT: dict[Any, Any] = {
    dict: dict,
    dict[str, Any]: dict,
    list: list,
    list[Any]: list,
    str: str,
    int: int,
    bool: bool,
}
_FIRST: dict[Any, bytes] = {dict: b"{", list: b"[", str: b'"'}

_ADAPTERS_CACHED = 4096
_PROBLEMS_SHOWN = 5
_Parameters: TypeAlias = tuple[
    list["_Shape | None"], "_Shape | None", dict[str, "_Shape | None"], "_Shape | None"
]


def dump(value: Any, *, by_alias: bool = False) -> bytes:
    """Canonical JSON of a user's value; `NotSerialisable` names the path of what is none.

    `by_alias`: the fields of models under the names that they have in a JSON schema.
    """
    try:
        return canonical.dumps(value)
    except NotSerialisable:
        return canonical.dumps(to_plain(value, "$", 0, by_alias=by_alias))


def dump_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """Canonical JSON of `{"args": [...], "kwargs": {...}}`."""
    try:
        # -1: each stands one level deeper than it is dumped here
        named = canonical.dumps(kwargs, around=-1) if kwargs else b"{}"
        return b'{"args":%b,"kwargs":%b}' % (canonical.dumps(args, around=-1), named)
    except NotSerialisable:
        return dump({"args": list(args), "kwargs": kwargs})


def as_json(value: Any) -> Any:
    """A user's value as plain JSON: models and dataclasses inside are dumped."""
    return value if type(value) in JSON_SCALARS else to_plain(value, "$", 0)


def load(data: bytes, annotation: Any) -> Any:
    """The value that the annotation describes; `InvalidInput` where the bytes do not fit it."""
    shape = _shape(annotation)
    return canonical.loads(data) if shape is None else shape.load(data)


def check_type(annotation: Any) -> None:
    """`RecipeError` for an annotation that no value can be rebuilt from."""
    _shape(annotation)


def check(data: bytes, annotation: Any) -> None:
    """`InvalidInput` where recorded bytes would not fit; free where anything fits."""
    shape = _shape(annotation)
    if shape is not None and data[:1] != shape.first:
        shape.load(data)


def arguments(function: Callable[..., Any], packed: bytes) -> tuple[list[Any], dict[str, Any]]:
    """A step's own copies of its arguments, rebuilt from the annotations of its parameters."""
    packing: dict[str, Any] = canonical.loads(packed)
    args: list[Any] = packing["args"]
    kwargs: dict[str, Any] = packing["kwargs"]
    asked = _parameters(function)
    if asked is None:
        return args, kwargs
    positional, rest, named, more = asked
    for index, held in enumerate(args):
        shape = positional[index] if index < len(positional) else rest
        args[index] = _rebuilt(held, shape)
    for name, held in kwargs.items():
        kwargs[name] = _rebuilt(held, named.get(name, more))
    return args, kwargs


def _rebuilt(held: Any, shape: _Shape | None) -> Any:
    if shape is None or type(held) is shape.exact:
        return held
    return shape.load(canonical.dumps(held))  # from JSON: a strict model takes times only so


def _parameters(function: Callable[..., Any]) -> _Parameters | None:
    try:
        return _cached_parameters(function)
    except TypeError:
        return _find_parameters(function)  # a callable that can not be hashed


def _find_parameters(function: Callable[..., Any]) -> _Parameters | None:
    """The shapes by position, of `*`, by name and of `**`; None if no one asks for more."""
    types = hints(function)
    _check_returned(types.get("return", Any))
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    shapes = {each.name: _shape(types.get(each.name, Any)) for each in parameters}
    if not any(shapes.values()):
        return None
    of_kind = {each.kind: shapes[each.name] for each in parameters}
    plain = [
        each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    return (
        [shapes[each.name] for each in plain if each.kind is not each.KEYWORD_ONLY],
        of_kind.get(inspect.Parameter.VAR_POSITIONAL),
        {each.name: shapes[each.name] for each in plain},
        of_kind.get(inspect.Parameter.VAR_KEYWORD),
    )


def _check_returned(annotation: Any) -> None:
    """A mistake there is told before the function does anything."""
    shape = _shape(annotation)
    problem = None if shape is None else lost(shape.adapter.core_schema)
    if problem is not None:
        wanted = getattr(annotation, "__qualname__", annotation)
        message = "expected a type of output that can be read back from its record"
        raise RecipeError(f"{message}, found {wanted} with {problem}")


_cached_parameters = lru_cache(_ADAPTERS_CACHED)(_find_parameters)


def json_schema(annotation: Any) -> bytes | None:
    """The JSON schema of an annotation in canonical bytes; None where anything fits."""
    try:
        return _cached_schema(annotation)
    except TypeError:
        return _make_schema(annotation)  # an annotation that can not be hashed


def _make_schema(annotation: Any) -> bytes | None:
    shape = _shape(annotation)
    try:
        if shape is None:
            return None
        return canonical.dumps(shape.adapter.json_schema(mode="validation"))
    except PydanticUserError as error:
        wanted = getattr(annotation, "__qualname__", annotation)
        message = f"expected a type that has a JSON schema, found {wanted}: {error.message}"
        raise RecipeError(message) from error


_cached_schema = lru_cache(_ADAPTERS_CACHED)(_make_schema)


def return_type(function: Callable[..., Any]) -> Any:
    """What a function says it returns; Any if it does not say."""
    return hints(function).get("return", Any)


def parameter_types(function: Callable[..., Any]) -> dict[str, Any]:
    """Parameter name -> annotation, for those that have one."""
    return hints(function)


def _said(error: Exception) -> str:
    """Where and why a value does not fit, without the value itself."""
    if not isinstance(error, ValidationError):
        return f"expected a value that its type takes, found {type(error).__name__} raised by it"
    problems = [
        f"at {'.'.join(str(part) for part in problem['loc']) or '$'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    more = len(problems) - _PROBLEMS_SHOWN
    shown = "; ".join(problems[:_PROBLEMS_SHOWN])
    return f"expected {error.title}, found {shown}" + (f"; {more} more" if more > 0 else "")


class _Shape:
    """How values of an annotation are rebuilt from JSON.

    `exact`: a JSON value of just that type is the value already, and nothing has to be asked of
    pydantic (which would make a copy). `first`: the byte that such values begin with in JSON.
    """

    __slots__ = ("adapter", "exact", "first", "is_lazy")

    def __init__(self, adapter: TypeAdapter[Any], exact: Any) -> None:
        self.adapter = adapter
        self.is_lazy = adapter.core_schema["type"] == "generator"
        self.exact = exact
        self.first = _FIRST.get(self.exact)

    def load(self, data: bytes) -> Any:
        """The value; `InvalidInput` where the bytes do not fit."""
        if self.exact is not None:
            held = canonical.loads(data)
            if type(held) is self.exact:
                return held
        try:
            found = self.adapter.validator.validate_json(data, by_alias=True, by_name=True)
            # an Iterable is else looked through as it is used up, once, and not to be recorded
            return list(found) if self.is_lazy else found
        except Exception as error:  # noqa: BLE001 - validators of the user's may raise anything
            raise InvalidInput(_said(error)) from None


def _shape(annotation: Any) -> _Shape | None:
    """None where anything fits."""
    try:
        return _cached_shape(annotation)
    except TypeError:
        return _make_shape(annotation, None)  # an annotation that can not be hashed


@lru_cache(_ADAPTERS_CACHED)
def _cached_shape(annotation: Any) -> _Shape | None:
    return None if annotation in _PLAIN else _make_shape(annotation, _EXACT.get(annotation))


def _make_shape(annotation: Any, exact: Any) -> _Shape:
    wanted = getattr(annotation, "__qualname__", annotation)
    message = f"expected JSON types, dataclasses or pydantic models, found the type {wanted}"
    try:
        return _Shape(TypeAdapter(annotation), exact)
    except PydanticSchemaGenerationError as error:
        raise RecipeError(message) from error
    except PydanticUserError as error:  # one that it knows, and what to write instead
        raise RecipeError(f"{message}: {error.message}") from error
