"""Users' values as plain JSON: what models, dataclasses and enums hold, in one spelling.

The other half of `values`, which makes values of JSON again. No other module of the core knows
pydantic.
"""

from __future__ import annotations

import dataclasses
import typing
from collections import deque
from contextlib import suppress
from enum import Enum
from functools import lru_cache
from math import isfinite
from typing import Any

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    RootModel,
    SecretBytes,
    SecretStr,
    TypeAdapter,
)
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic_core import (
    PydanticSerializationError,
    SchemaSerializer,
    core_schema,
    to_jsonable_python,
)

from hitl_events.domain import canonical
from hitl_events.errors import NotSerialisable

_CONTAINERS = frozenset((dict, list))
_SETS = (set, frozenset)
_LISTS = (list, tuple, deque, *_SETS)
JSON_SCALARS = (str, int, float, bool, type(None))
_WHOLE: dict[str, Any] = {"round_trip": True, "serialize_as_any": True, "by_alias": False}
_BY_ITS_OWN: dict[str, Any] = {
    "mode": "json",
    "round_trip": True,
    "polymorphic_serialization": True,
    "by_alias": False,
    "warnings": False,
}
_HELD: dict[str, Any] = {"round_trip": True, "polymorphic_serialization": True, "by_alias": False}
_SERIALIZERS = frozenset({"function-plain", "function-wrap", "format", "to-string"})
_AS_IT_IS = SchemaSerializer(core_schema.any_schema())
_MASK = "**********"
_TYPES_CACHED = 4096


def to_plain(value: Any, path: str, depth: int, *, by_alias: bool = False) -> Any:
    """Models, dataclasses and enums inside as JSON; `canonical` refuses what is left strange."""
    if depth > canonical.DEPTH_MAX:
        raise NotSerialisable(path, f"nesting deeper than {canonical.DEPTH_MAX} (or a cycle)")
    kind = typing.cast("Any", type(value))
    if kind in JSON_SCALARS:
        return value
    if kind is dict:
        return {
            key.value if isinstance(key, Enum) and isinstance(key, str) else key: to_plain(
                item, f"{path}.{key}", depth + 1, by_alias=by_alias
            )
            for key, item in value.items()
        }
    if kind is list or kind is tuple:
        return [
            to_plain(item, f"{path}[{index}]", depth + 1, by_alias=by_alias)
            for index, item in enumerate(value)
        ]
    if isinstance(value, Enum):
        return value.value
    is_dataclass = dataclasses.is_dataclass(value) and not isinstance(value, type)
    if isinstance(value, BaseModel) or is_dataclass:
        try:
            plain = _dumped(value)
            if _hides(plain):
                _check_exact(_held(value), path)
            return _in_order(value, plain, by_alias=by_alias)
        except (PydanticSerializationError, ValueError) as error:
            raise NotSerialisable(path, f"a {type(value).__qualname__} with {error}") from None
    return value


def _dumped(value: Any) -> Any:
    """A model whole: with the fields of subclasses, without computed ones (`round_trip`).

    Serializers that its fields name are passed over by `serialize_as_any`, so where there are some
    it is dumped by its own type: else nothing could be made of the record, or something else.
    """
    serializer = _own_serializer(typing.cast("Any", type(value)))
    if serializer is not None:
        return serializer.to_python(value, **_BY_ITS_OWN)
    try:
        return to_jsonable_python(value, **_WHOLE)
    except PydanticSerializationError:  # one that it holds as anything may have serializers
        return to_jsonable_python(value, **_HELD)


@lru_cache(_TYPES_CACHED)
def _own_serializer(kind: Any) -> SchemaSerializer | None:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
        return adapter.serializer if _serializes(adapter.core_schema) else None
    except (PydanticSchemaGenerationError, PydanticUserError, NameError):
        return None  # of a dataclass whose fields are no types for pydantic: dumped as they are


def _serializes(schema: Any) -> bool:
    """Whether a serializer of the user's, or one that encodes, stands anywhere in a schema."""
    if isinstance(schema, dict):
        parts = typing.cast("dict[str, Any]", schema)
        made: dict[str, Any] = parts.get("serialization") or {}
        is_ours = getattr(made.get("function"), "__module__", "").startswith("pydantic._internal")
        if parts.get("type") == "json" or (made.get("type") in _SERIALIZERS and not is_ours):
            return True
        inside = [part for name, part in parts.items() if name not in ("default", "metadata")]
        return any(map(_serializes, inside))
    return isinstance(schema, (list, tuple)) and any(map(_serializes, typing.cast("Any", schema)))


def lost(schema: Any) -> str | None:
    """What of a type's values does not come back from their JSON; None where nothing is known.

    What validators or serializers of the user's make of it is theirs, and not looked into.
    """
    return None if _serializes(schema) else _lost(schema)


def _lost(schema: Any) -> str | None:
    parts: Any = ()
    if isinstance(schema, dict):
        held = typing.cast("dict[str, Any]", schema)
        kind = str(held.get("type"))
        if kind.startswith("function-"):
            return None
        if kind == "enum":
            return _lost_member(held["cls"])
        if held.get("init_only") and held["schema"]["type"] != "default":
            return f"the InitVar {held['name']!r}, which no value keeps: give it a default"
        parts = [part for name, part in held.items() if name not in ("default", "metadata")]
    elif isinstance(schema, (list, tuple)):
        parts = typing.cast("Any", schema)
    return next(filter(None, map(_lost, parts)), None)


def _lost_member(kind: type[Enum]) -> str | None:
    adapter = TypeAdapter(kind)
    for member in kind:
        try:
            if adapter.validate_json(canonical.dumps(member.value)) is member:
                continue
        except (NotSerialisable, ValueError):
            pass
        return f"{member}, whose value does not come back from JSON: give it a text or a number"
    return None


def _hides(plain: Any) -> bool:
    """Whether there is a null or a mask in it, which pydantic writes for NaN and for secrets."""
    kind = typing.cast("Any", type(plain))
    if kind is dict:
        return any(map(_hides, plain.values()))
    if kind is list:
        return any(map(_hides, plain))
    return plain is None or plain == _MASK


def _held(value: Any) -> Any:
    """What a value is dumped to before it is made JSON."""
    try:
        return _AS_IT_IS.to_python(value, **_WHOLE)
    except TypeError:  # a set of models: dumped they can not be hashed
        parts = _parts(value)
        items = [_held(item) for item in parts.values()]
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
    names = _schema_names(typing.cast("Any", type(held))) if by_alias and kind is dict else {}
    if not is_set and not names and _CONTAINERS.isdisjoint(map(type, inside)):
        return plain  # the common case, in 0.3 us
    parts = _parts(held)
    if kind is dict:
        for name, item in plain.items():
            if type(item) in _CONTAINERS and name in parts:
                plain[name] = _in_order(parts[name], item, by_alias=by_alias)
        return {names.get(name, name): item for name, item in plain.items()} if names else plain
    if kind is list and len(parts) == len(plain):
        items = zip(parts.values(), plain, strict=True)
        plain = [_in_order(item, dumped, by_alias=by_alias) for item, dumped in items]
        if is_set:
            with suppress(NotSerialisable):  # refused as a whole, with the path from its top
                plain.sort(key=canonical.dumps)
    return plain


@lru_cache(_TYPES_CACHED)
def _schema_names(kind: Any) -> dict[str, str]:
    """The fields that have another name in the JSON schema of what may come in, by their own."""
    fields: dict[str, Any] = getattr(kind, "__pydantic_fields__", {})
    aliases = {name: field.validation_alias for name, field in fields.items()}
    return {name: _schema_name(alias, name) for name, alias in aliases.items() if alias is not None}


def _schema_name(alias: str | AliasPath | AliasChoices, name: str) -> str:
    """As pydantic does it: the first alias that is no path into something."""
    if isinstance(alias, str):
        return alias
    found: list[Any] = alias.convert_to_aliases()
    paths = found if isinstance(alias, AliasChoices) else [found]
    return next((path[0] for path in paths if len(path) == 1), name)


def _parts(held: Any) -> dict[Any, Any]:
    """What a model or a container holds, by the name or the place that it has in the dump."""
    if isinstance(held, dict):
        return {**held}
    if isinstance(held, _LISTS):
        return dict(enumerate(typing.cast("tuple[Any, ...]", held)))
    if isinstance(held, BaseModel):
        return {**held.__dict__, **(held.__pydantic_extra__ or {})}
    if dataclasses.is_dataclass(held):
        return {each.name: getattr(held, each.name, None) for each in dataclasses.fields(held)}
    return {}


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
