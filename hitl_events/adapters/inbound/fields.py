"""What one record says, field by field, whichever form it came in; absent and null are the same."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from hitl_events.adapters.inbound.json_text import canonical, parse_json
from hitl_events.adapters.inbound.refused import NAME_CHARS_MAX, RECORD_BYTES_MAX, Unfit, shown
from hitl_events.domain.canonical import NULL, loads
from hitl_events.domain.refusals import Reason
from hitl_events.domain.values import is_unicode

_HEX = re.compile(r"[0-9a-fA-F]*")
_NUMBER_MAX = 2**53
_HEX_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_UNREAL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_JSON_NAMES = {
    bool: "a boolean",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "a list",
    str: "a text",
}


class Fields:
    """The fields that are there. Each method raises `Unfit` with the record's reason.

    `packed` names user data that a call of this process brings as canonical JSON already.
    """

    def __init__(self, values: Mapping[str, Any], reason: Reason, packed: str = "") -> None:
        self._values = {name: value for name, value in values.items() if value is not None}
        self._names = dict.fromkeys(values)
        self._reason: Reason = reason
        self._packed = packed

    def only(self, known: Collection[str]) -> None:
        """Nothing is ignored, null neither: a misspelt field would mean something else."""
        for name in self._names:
            if name not in known:
                listed = ", ".join(known)
                raise self._unfit(f"expected no fields but {listed}; found {shown(name)}")

    def either(self, name: str, alias: str) -> None:
        """A field that may be sent under another name, but not under both."""
        self._names.pop(alias, None)
        if alias in self._values:
            if name in self._values:
                raise self._unfit(f"expected {name!r} or {alias!r}, found both")
            self._values[name] = self._values.pop(alias)

    def required(self, name: str, chars_max: int) -> str:
        """A text that must be there."""
        text = self.text(name, chars_max, chars_min=1)
        if text is None:
            raise self._unfit(f"expected a {name!r}, found none")
        return text

    def text(self, name: str, chars_max: int, *, chars_min: int = 0) -> str | None:
        """A text of a bounded length."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self._unfit(f"expected a text as {name!r}, found {_kind(value)}")
        if not chars_min <= len(value) <= chars_max:
            wanted = f"{chars_min} to {chars_max} characters in {name!r}"
            raise self._unfit(f"expected {wanted}, found {len(value)}")
        if not is_unicode(value):
            raise self._unfit(f"expected valid Unicode as {name!r}, found a lone surrogate")
        return value

    def person(self, name: str) -> str | None:
        """Who is said to have done it: a name that reads as it is written.

        A line of text without controls and without marks that turn the direction of writing, with
        which one name is shown as another.
        """
        text = self.text(name, NAME_CHARS_MAX)
        if text is not None and _UNREAL.search(text):
            raise self._unfit(f"expected a line of text as {name!r}, found controls in it")
        return text

    def json(self, name: str, *, kind: type | None = None) -> bytes | None:
        """User data as canonical JSON; the Avro form brings the text of it."""
        value = self._values.get(name)
        packed: bytes | None = None
        if name == self._packed and value is not None:
            packed = value
            value = None if packed == NULL else packed if kind is None else loads(value)
        elif isinstance(value, bytes):
            value = self._parsed(name, value)
        if value is None:
            return None
        if kind is not None and not isinstance(value, kind):
            raise self._unfit(f"expected {_JSON_NAMES[kind]} as {name!r}, found {_kind(value)}")
        data = canonical(value) if packed is None else packed
        if len(data) > RECORD_BYTES_MAX:
            found = f"found {len(data)} in {name!r} once its numbers are written out"
            raise Unfit("too_large", f"expected at most {RECORD_BYTES_MAX} bytes, {found}")
        return data

    def digest(self, name: str) -> bytes | None:
        """A SHA-256 in hex."""
        text = self._values.get(name)
        if text is None:
            return None
        if not isinstance(text, str) or not _HEX_DIGEST.fullmatch(text):
            raise self._unfit(f"expected 64 hex digits as {name!r}")
        return bytes.fromhex(text)

    def required_digest(self, name: str, size_bytes: int) -> bytes:
        """So many bytes in hex, which must be there."""
        text = self.required(name, 2 * size_bytes)
        if len(text) < 2 * size_bytes or not _HEX.fullmatch(text):
            raise self._unfit(f"expected {2 * size_bytes} hex digits as {name!r}")
        return bytes.fromhex(text)

    def choice(self, name: str, words: Collection[str]) -> str:
        """One word of a list, which must be there."""
        text = self.required(name, NAME_CHARS_MAX)
        if text not in words:
            raise self._unfit(f"expected one of {', '.join(words)} as {name!r}")
        return text

    def number(self, name: str, least: int) -> int | None:
        """A whole number that is not less."""
        number = self._values.get(name)
        if number is None:
            return None
        if type(number) is not int or not least <= number <= _NUMBER_MAX:
            raise self._unfit(f"expected a whole number of at least {least} as {name!r}")
        return number

    def required_number(self, name: str, least: int) -> int:
        """A whole number that must be there."""
        number = self.number(name, least)
        if number is None:
            raise self._unfit(f"expected a {name!r}, found none")
        return number

    def time(self, name: str) -> datetime | None:
        """A time with its offset: text as in RFC 3339, or what the Avro form brings."""
        value = self._values.get(name)
        if value is None or isinstance(value, datetime):
            return value
        if not isinstance(value, str):
            raise self._unfit(f"expected a text as {name!r}, found {_kind(value)}")
        try:
            at = datetime.fromisoformat(value)
            if at.tzinfo is not None:
                return at.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise self._unfit(f"expected a time with its offset as {name!r}: 2026-01-01T00:00:00Z")

    def _parsed(self, name: str, data: bytes) -> Any:
        try:
            return parse_json(data)
        except Unfit as unfit:
            raise self._unfit(f"in {name!r}: {unfit}") from None

    def _unfit(self, message: str) -> Unfit:
        return Unfit(self._reason, message)


def _kind(value: Any) -> str:
    return _JSON_NAMES.get(type(value), "something else")
