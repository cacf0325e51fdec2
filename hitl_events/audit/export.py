"""The audit export, jsonl: one line for each event, and a last one that counts them all.

A line shows every field of an event in plain JSON and carries the record itself, so that it can be
read by a person, checked without a log, and imported as it was. No token stands in it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

from hitl_events.domain import canonical
from hitl_events.domain.events import About, Event, GatePaused, Source
from hitl_events.domain.values import iso
from hitl_events.errors import CorruptLog, NotSerialisable
from hitl_events.ports import Codec

USER_DATA = frozenset({"data", "data_schema", "draft", "input", "output", "policy", "result"})
"""Fields whose bytes are canonical JSON; all other bytes are digests, or the run's seed."""

END_TYPE = "End"
_FINGERPRINT = slice(2, 10)
_NAMES_CACHED = 128
"""All fields of all events have some 70 names."""


def export_line(
    value: bytes, codec: Codec, *, partition: int | None = None, offset: int | None = None
) -> dict[str, Any]:
    """One event as the JSON object of its line; `CorruptLog` for what is none.

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
    # By the record's own schema: its line is the same after a later release has added a field.
    for name in codec.names(value):
        line[name] = _readable(event, name)
    return line


def spelt(line: Mapping[str, Any]) -> bytes:
    """The one spelling of a line: canonical JSON, but the End line keeps the order of its names."""
    names = line if line.get("type") == END_TYPE else sorted(line)
    # Name by name, because user data may itself be nested as deeply as `canonical` allows.
    members = [
        _key(name) + (_heads(line) if name == "heads" else canonical.dumps(line[name]))
        for name in names
    ]
    return b"{" + b",".join(members) + b"}"


def export_lines(runs: Iterable[tuple[str, Iterable[bytes]]], codec: Codec) -> Iterator[bytes]:
    """The spelt lines of runs (id, record values) in the order of their start, and the End line.

    Each ends with a line feed. Holds one event at a time.
    """
    end = End()
    for run_id, values in runs:
        for value in values:
            yield spelt(export_line(value, codec)) + b"\n"
            end.add(run_id, value)
    yield spelt(end.to_json()) + b"\n"


class End:
    """Gathers what the End line says while the lines of events go by.

    `heads` stands in the order of the runs, so that two runs that change places are found. Where
    lines have an offset, `offsets` is the SHA-256 of all `partition:offset` with a line feed each:
    nothing else in the file would tell that one was edited.
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
        self._heads[run_id] = sha256(value).digest()
        if partition is not None or offset is not None:
            self._has_offsets = True
            self._offsets.update(f"{partition}:{offset}\n".encode())

    def to_json(self) -> dict[str, Any]:
        """The End line as a JSON object; give it to `spelt`, which keeps its order."""
        line: dict[str, Any] = {
            "type": END_TYPE,
            "runs": len(self._heads),
            "events": self._events,
            "heads": {run_id: head.hex() for run_id, head in self._heads.items()},
        }
        if self._has_offsets:
            line["offsets"] = self._offsets.hexdigest()
        return line


def _heads(line: Mapping[str, Any]) -> bytes:
    heads = line["heads"].items()
    members = [canonical.dumps(run_id) + b":" + canonical.dumps(head) for run_id, head in heads]
    return b"{" + b",".join(members) + b"}"


@lru_cache(_NAMES_CACHED)
def _key(name: str) -> bytes:
    return canonical.dumps(name) + b":"


def _readable(event: Event, name: str) -> object:
    held: object = getattr(event, name)
    match held:
        case bytes() if name in USER_DATA:
            return _json(event, name, held)
        case bytes():
            return held.hex()
        case datetime():
            return iso(held)
        case tuple() if isinstance(event, GatePaused):
            return list(event.verdicts)
        case Source(topic=topic, partition=partition, offset=offset, timestamp_ms=stamp_ms):
            return {
                "topic": topic,
                "partition": partition,
                "offset": offset,
                "timestamp_ms": stamp_ms,
            }
        case About(step=step, occurrence=occurrence):
            return {"step": step, "occurrence": occurrence}
        case _:
            return held


def _json(event: Event, name: str, data: bytes) -> object:
    """User data; of bytes that are not canonical JSON the line would not tell which they were."""
    try:
        held = canonical.loads(data)
        if canonical.dumps(held) == data:
            return held
        problem = "JSON that is not spelt canonically"
    except (ValueError, NotSerialisable, RecursionError) as error:
        problem = f"bytes that are none ({error})"
    where = f"run {event.run_id!r}, event {event.seq}"
    raise CorruptLog(where, f"expected canonical JSON in {name!r}, found {problem}")
