"""User values to recorded bytes and back: JSON values, dataclasses, pydantic models.

The only module of the core that knows pydantic. A recipe sees what `load` makes of recorded bytes,
live as on replay, so that both see the same.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from functools import lru_cache
from math import isfinite
from typing import Any, TypeAlias

from pydantic import BaseModel, RootModel, SecretBytes, SecretStr, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic_core import (
    PydanticSerializationError,
    SchemaSerializer,
    core_schema,
    to_jsonable_python,
)

from hitl_events.domain import canonical
from hitl_events.errors import InvalidInput, NotSerialisable, RecipeError
from hitl_events.recipes.hints import hints

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

_CONTAINERS = frozenset((dict, list))
_SETS = (set, frozenset)
_LISTS = (list, tuple, deque, *_SETS)
_JSON_SCALARS = (str, int, float, bool, type(None))
_ADAPTERS_CACHED = 4096
_PROBLEMS_SHOWN = 5
_WHOLE: dict[str, Any] = {"round_trip": True, "serialize_as_any": True}
_AS_IT_IS = SchemaSerializer(core_schema.any_schema())
_MASK = "**********"
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
        return canonical.dumps(_plain(value, "$", 0, by_alias=by_alias))


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
    return value if type(value) in _JSON_SCALARS else _plain(value, "$", 0)


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
    _shape(types.get("return", Any))  # a mistake there is told before the function does anything
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


def _plain(value: Any, path: str, depth: int, *, by_alias: bool = False) -> Any:
    """Models, dataclasses and enums inside as JSON; `canonical` refuses what is left strange."""
    if depth > canonical.DEPTH_MAX:
        raise NotSerialisable(path, f"nesting deeper than {canonical.DEPTH_MAX} (or a cycle)")
    kind = typing.cast("Any", type(value))
    if kind in _JSON_SCALARS:
        return value
    if kind is dict:
        return {
            key: _plain(item, f"{path}.{key}", depth + 1, by_alias=by_alias)
            for key, item in value.items()
        }
    if kind is list or kind is tuple:
        return [
            _plain(item, f"{path}[{index}]", depth + 1, by_alias=by_alias)
            for index, item in enumerate(value)
        ]
    if isinstance(value, Enum):
        return value.value
    is_dataclass = dataclasses.is_dataclass(value) and not isinstance(value, type)
    if isinstance(value, BaseModel) or is_dataclass:
        try:
            # whole: the fields of subclasses too; round_trip leaves computed fields out
            plain = to_jsonable_python(value, by_alias=by_alias, **_WHOLE)
            if _hides(plain):
                _check_exact(_held(value, by_alias=by_alias), path)
            return _in_order(value, plain, by_alias=by_alias)
        except (PydanticSerializationError, ValueError) as error:
            raise NotSerialisable(path, f"a {type(value).__qualname__} with {error}") from None
    return value


def _hides(plain: Any) -> bool:
    """Whether there is a null or a mask in it, which pydantic writes for NaN and for secrets."""
    kind = typing.cast("Any", type(plain))
    if kind is dict:
        return any(map(_hides, plain.values()))
    if kind is list:
        return any(map(_hides, plain))
    return plain is None or plain == _MASK


def _held(value: Any, *, by_alias: bool) -> Any:
    """What a value is dumped to before it is made JSON."""
    try:
        return _AS_IT_IS.to_python(value, by_alias=by_alias, **_WHOLE)
    except TypeError:  # a set of models: dumped they can not be hashed
        parts = _parts(value, by_alias=by_alias)
        items = [_held(item, by_alias=by_alias) for item in parts.values()]
        return items if isinstance(value, _LISTS) else dict(zip(parts, items, strict=True))


def _in_order(held: Any, plain: Any, *, by_alias: bool) -> Any:
    """`plain`, in which what is held in a set stands in one order: a set's is of its process alone.

    Else the draft of a gate would be another one on replay. What a serializer of the user's made
    looks unlike what is held, and stays as it is.
    """
    if isinstance(held, RootModel):
        return _in_order(typing.cast("Any", held).root, plain, by_alias=by_alias)
    kind = typing.cast("Any", type(plain))
    is_set = isinstance(held, _SETS)
    inside = plain.values() if kind is dict else plain if kind is list else ()
    if not is_set and _CONTAINERS.isdisjoint(map(type, inside)):
        return plain  # the common case, in 0.3 us
    parts = _parts(held, by_alias=by_alias)
    if kind is dict:
        for name, item in plain.items():
            if type(item) in _CONTAINERS and name in parts:
                plain[name] = _in_order(parts[name], item, by_alias=by_alias)
    elif kind is list and len(parts) == len(plain):
        items = zip(parts.values(), plain, strict=True)
        plain = [_in_order(item, dumped, by_alias=by_alias) for item, dumped in items]
        if is_set:
            with suppress(NotSerialisable):  # refused as a whole, with the path from its top
                plain.sort(key=canonical.dumps)
    return plain


def _parts(held: Any, *, by_alias: bool) -> dict[Any, Any]:
    """What a model or a container holds, by the name or the place that it has in the dump."""
    if isinstance(held, dict):
        return {**held}
    if isinstance(held, _LISTS):
        return dict(enumerate(typing.cast("tuple[Any, ...]", held)))
    if isinstance(held, BaseModel):
        parts = {**held.__dict__, **(held.__pydantic_extra__ or {})}
    elif dataclasses.is_dataclass(held):
        parts = {each.name: getattr(held, each.name, None) for each in dataclasses.fields(held)}
    else:
        return {}
    fields: dict[str, Any] = getattr(held, "__pydantic_fields__", {}) if by_alias else {}
    aliases = {name: field.serialization_alias for name, field in fields.items()}
    return {aliases.get(name) or name: item for name, item in parts.items()}


def _check_exact(held: Any, path: str) -> None:
    """`NotSerialisable` where the dumped value of a model would not be what the model holds."""
    kind = typing.cast("Any", type(held))
    if kind is dict:
        for key, item in held.items():
            _check_exact(item, f"{path}.{key}")
    elif kind in (list, tuple, set, frozenset):
        for index, item in enumerate(held):
            _check_exact(item, f"{path}[{index}]")
    elif isinstance(held, float) and not isfinite(held):
        raise NotSerialisable(path, f"the number {held}, which JSON has not")
    elif isinstance(held, (SecretStr, SecretBytes)):
        raise NotSerialisable(
            path, "a secret, which would be recorded masked: pass its name instead"
        )


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

    __slots__ = ("adapter", "exact", "first")

    def __init__(self, adapter: TypeAdapter[Any], exact: Any) -> None:
        self.adapter = adapter
        self.exact = exact
        self.first = _FIRST.get(self.exact)

    def load(self, data: bytes) -> Any:
        """The value; `InvalidInput` where the bytes do not fit."""
        if self.exact is not None:
            held = canonical.loads(data)
            if type(held) is self.exact:
                return held
        try:
            return self.adapter.validator.validate_json(data, by_alias=True, by_name=True)
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
