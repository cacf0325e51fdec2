"""The audit export, jsonl: one line for each event, and a last one that counts them all.

A line shows every field of an event in plain JSON and carries the record itself, so that it can be
read by a person, checked without a log, and imported as it was. No token stands in it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from hashlib import sha256
from typing import Any

from hitl_events.domain import canonical
from hitl_events.domain.events import About, Event, Source
from hitl_events.domain.values import iso
from hitl_events.errors import CorruptLog, NotSerialisable
from hitl_events.ports import Codec

USER_DATA = frozenset({"data", "data_schema", "draft", "input", "output", "policy", "result"})
"""Fields whose bytes are canonical JSON; all other bytes are digests, or the run's seed."""

END_TYPE = "End"
_FINGERPRINT = slice(2, 10)


def export_line(
    value: bytes, codec: Codec, *, partition: int | None = None, offset: int | None = None
) -> dict[str, Any]:
    """One event as the JSON object of its line; `CorruptLog` for what is no event.

    `schema` is the 64-bit fingerprint as a number, so highest byte first; the record has it lowest
    byte first.
    """
    event = codec.decode(value)
    line: dict[str, Any] = {
        "type": type(event).__name__,
        "schema": value[_FINGERPRINT][::-1].hex(),
        "value": base64.b64encode(value).decode(),
    }
    if partition is not None:
        line["partition"] = partition
    if offset is not None:
        line["offset"] = offset
    for field in fields(event):
        line[field.name] = _readable(event, field.name)
    return line


def spelt(line: Mapping[str, Any]) -> bytes:
    """The one spelling of an event's line: canonical JSON. `NotSerialisable` where there is none."""
    # Field by field, because user data may be nested as deeply as `canonical` allows.
    parts = [canonical.dumps(name) + b":" + canonical.dumps(line[name]) for name in sorted(line)]
    return b"{" + b",".join(parts) + b"}"


def export_lines(
    runs: Iterable[tuple[str, Sequence[bytes]]], codec: Codec
) -> Iterator[dict[str, Any]]:
    """The lines of these runs (id and record values, in order of their start), the End line last.

    Holds one run's values at a time.
    """
    end = End()
    for run_id, values in runs:
        for value in values:
            yield export_line(value, codec)
            end.add(run_id, value)
    yield end.to_json()


class End:
    """Gathers what the End line says while the lines of events go by.

    `heads` stands in the order of the runs, so that runs that change places are found. Where lines
    have an offset, `offsets` is the SHA-256 of all `partition:offset` with a line end each: nothing
    else in the file would tell that one was edited.
    """

    def __init__(self) -> None:
        self._events = 0
        self._heads: dict[str, bytes] = {}
        self._offsets = sha256()
        self._has_offsets = False

    def add(
        self, run_id: str, value: bytes, *, partition: int | None = None, offset: int | None = None
    ) -> None:
        """The next event's line."""
        self._events += 1
        self._heads[run_id] = value
        if partition is not None or offset is not None:
            self._has_offsets = True
            self._offsets.update(f"{partition}:{offset}\n".encode())

    def to_json(self) -> dict[str, Any]:
        """The End line as a JSON object, to be spelt in this order."""
        heads = {run_id: sha256(value).hexdigest() for run_id, value in self._heads.items()}
        line: dict[str, Any] = {
            "type": END_TYPE,
            "runs": len(heads),
            "events": self._events,
            "heads": heads,
        }
        if self._has_offsets:
            line["offsets"] = self._offsets.hexdigest()
        return line
