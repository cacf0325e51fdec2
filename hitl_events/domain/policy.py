"""What a gate demands of a decision's data, judged from the recorded schema alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, time
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

from hitl_events.domain import canonical
from hitl_events.domain.events import GatePaused

_SCHEMAS_CACHED = 256
_FORMATTED = re.compile(rb'"format":"(date|time|date-time|uuid)"')


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.upper())


_FORMATS: dict[str, Callable[[str], object]] = {
    "date-time": _time,
    "date": _time,
    "time": lambda text: time.fromisoformat(text.upper()),
    "uuid": UUID,
}


def data_problem(paused: GatePaused, data: bytes | None) -> str | None:
    """Why the data does not fit the gate; None if it does. Data may always be left out."""
    if data is None:
        return None
    if paused.data_schema is None:
        return "expected no data, as the gate has no schema for it, found some"
    return _first_problem(_validator(paused.data_schema), data)


def format_problem(paused: GatePaused, data: bytes) -> str | None:
    """Why a time, a date or an id in the data can be none, where no code is there to judge it.

    Recorded, it would stop the run for ever. Where there is code its type judges: it may take more.
    """
    schema = paused.data_schema
    if schema is None or not _FORMATTED.search(schema):
        return None
    return _first_problem(_format_validator(schema), data)


def _first_problem(validator: Any, data: bytes) -> str | None:
    error = next(iter(validator.iter_errors(canonical.loads(data))), None)
    return (
        None
        if error is None
        else f"expected data that fits the gate, at {error.json_path}: {_said(error)}"
    )


def _said(error: Any) -> str:
    """The validator's sentence without the value, which may be long or private."""
    return (
        f"{error.validator} {canonical.dumps(error.validator_value).decode()[:200]} does not hold"
    )


@lru_cache(_SCHEMAS_CACHED)
def _validator(schema: bytes) -> Any:
    # 60 ms of imports that only a gate with a data schema needs
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415 - see above

    usual = Draft202012Validator.VALIDATORS

    def pattern(judge: Any, wanted: str, held: Any, around: Any) -> Iterator[Any]:
        if _is_known(wanted):
            yield from usual["pattern"](judge, wanted, held, around) or ()

    def pattern_properties(
        judge: Any, wanted: Mapping[str, Any], held: Any, around: Any
    ) -> Iterator[Any]:
        known = {name: part for name, part in wanted.items() if _is_known(name)}
        yield from usual["patternProperties"](judge, known, held, around) or ()

    def additional_properties(judge: Any, wanted: Any, held: Any, around: Any) -> Iterator[Any]:
        if all(map(_is_known, around.get("patternProperties", ()))):
            yield from usual["additionalProperties"](judge, wanted, held, around) or ()

    def multiple_of(judge: Any, wanted: Any, held: Any, around: Any) -> Iterator[Any]:
        # first as the numbers are written: in halves and quarters 0.29 is no multiple of 0.01
        if not judge.is_type(held, "number") or Fraction(repr(held)) % Fraction(repr(wanted)):
            yield from usual["multipleOf"](judge, wanted, held, around) or ()

    def property_names(judge: Any, wanted: Any, held: Any, _: Any) -> Iterator[Any]:
        # a key is a text in JSON, whatever is asked for: 1 is there as "1"
        fits = judge.evolve(schema=wanted).is_valid
        for name in held if judge.is_type(held, "object") else ():
            if not any(map(fits, _as_keys(name))):
                yield from judge.descend(name, wanted)

    keywords: dict[str, Any] = {
        "propertyNames": property_names,
        "pattern": pattern,
        "patternProperties": pattern_properties,
        "additionalProperties": additional_properties,
        "multipleOf": multiple_of,
    }
    untyped: Any = validators
    return untyped.extend(Draft202012Validator, keywords)(canonical.loads(schema))


def _as_keys(name: str) -> Iterator[Any]:
    """What may have been written as this key."""
    yield name
    with suppress(ValueError):
        yield canonical.loads(name.encode())


@lru_cache(_SCHEMAS_CACHED)
def _format_validator(schema: bytes) -> Any:
    from jsonschema import FormatChecker  # noqa: PLC0415 - as above

    checker: Any = FormatChecker(formats=())
    for name, read in _FORMATS.items():
        checker.checks(name, raises=ValueError)(partial(_can_be, read))
    return _validator(schema).evolve(format_checker=checker)


def _can_be(read: Callable[[str], object], held: object) -> bool:
    """Raises `ValueError` for a text that is nothing of the kind."""
    if isinstance(held, str) and not held.strip().lstrip("+-").replace(".", "", 1).isdecimal():
        read(held.strip())  # seconds since 1970 are a time too
    return True


def _is_known(pattern: str) -> bool:
    """False for one of another dialect (pydantic's is that of Rust): there the type judges."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
