"""The audit export, jsonl: one line for each event, and a last one that counts them all.

A line shows every field of an event in plain JSON and carries the record itself, so that it can be
read by a person, checked without a log, and imported as it was. No token stands in it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

from hitl_events.domain import canonical
from hitl_events.domain.events import About, Source
from hitl_events.domain.references import reference_in
from hitl_events.domain.values import iso
from hitl_events.errors import CorruptLog, InvalidInput, NotSerialisable
from hitl_events.ports import Codec, Written

USER_DATA = frozenset({"data", "data_schema", "draft", "input", "output", "policy", "result"})
"""Fields whose bytes are canonical JSON; all other bytes are digests, or the run's seed."""

END_TYPE = "End"
FINGERPRINT = slice(2, 10)
"""Of a record: the fingerprint of its schema, lowest byte first."""
_NAMES_CACHED = 128
"""All fields of all events have some 70 names."""


def export_line(
    value: bytes, codec: Codec, *, partition: int | None = None, offset: int | None = None
) -> dict[str, Any]:
    """One event as the JSON object of its line; `CorruptLog` for what is none.

    `schema` is the 64-bit fingerprint as a number, so highest byte first; the record has it lowest
    byte first.
    """
    # By the record's own schema: its line is the same whatever later releases made of the event.
    written = codec.written(value)
    line: dict[str, Any] = {
        "type": written.name,
        "schema": value[FINGERPRINT][::-1].hex(),
        "value": base64.b64encode(value).decode(),
    }
    if partition is not None:
        line["partition"] = partition
    if offset is not None:
        line["offset"] = offset
    for name, held in written.fields.items():
        line[name] = _readable(written, name, held)
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


class End:
    """Gathers what the End line says while the lines of events go by.

    `heads` stands in the order of the runs, so that two runs that change places are found. Where
    lines have an offset, `offsets` is the SHA-256 of all `partition:offset` with a line feed each:
    nothing else in the file would tell that one was edited.
    """

    def __init__(self) -> None:
        self._events = 0
        self._heads: dict[str, bytes] = {}
        self._last: tuple[str, bytes] | None = None
        self._offsets = sha256()
        self._has_offsets = False

    def add(
        self, run_id: str, value: bytes, *, partition: int | None = None, offset: int | None = None
    ) -> None:
        """The next event's line."""
        self._events += 1
        if self._last is not None and self._last[0] != run_id:
            self._close()
        self._last = run_id, value
        if partition is not None or offset is not None:
            self._has_offsets = True
            self._offsets.update(_place(partition, offset))

    def _close(self) -> None:
        """Of a run its last event alone is digested."""
        if self._last is not None:
            self._heads[self._last[0]] = sha256(self._last[1]).digest()

    def to_json(self) -> dict[str, Any]:
        """The End line as a JSON object; give it to `spelt`, which keeps its order."""
        self._close()
        line: dict[str, Any] = {
            "type": END_TYPE,
            "runs": len(self._heads),
            "events": self._events,
            "heads": {run_id: head.hex() for run_id, head in self._heads.items()},
        }
        if self._has_offsets:
            line["offsets"] = self._offsets.hexdigest()
        return line


class EndLine:
    """The End line of whole runs, written without holding their heads: those go to `spill`.

    `around` is what stands before and after what was spilled; together they are what `spelt` gives
    for `End.to_json()`.
    """

    def __init__(self, spill: Callable[[bytes], object]) -> None:
        self._spill = spill
        self._runs = self._events = 0
        self._offsets = sha256()
        self._has_offsets = False

    def add(
        self,
        run_id: str,
        values: Sequence[bytes],
        places: Iterable[tuple[int, int] | tuple[None, None]] = (),
    ) -> None:
        """The next run, with the place of each of its events where they have one."""
        head = _member(run_id, sha256(values[-1]).hexdigest())
        self._spill(b"," + head if self._runs else head)
        self._runs += 1
        self._events += len(values)
        for partition, offset in places:
            if partition is not None:
                self._has_offsets = True
                self._offsets.update(_place(partition, offset))

    def around(self) -> tuple[bytes, bytes]:
        """What comes before the heads, and what comes after them."""
        counts = f'"type":"{END_TYPE}","runs":{self._runs},"events":{self._events}'
        offsets = f',"offsets":"{self._offsets.hexdigest()}"' if self._has_offsets else ""
        return f'{{{counts},"heads":{{'.encode(), f"}}{offsets}}}".encode()


def _place(partition: int | None, offset: int | None) -> bytes:
    return f"{partition}:{offset}\n".encode()


def _heads(line: Mapping[str, Any]) -> bytes:
    members = [_member(run_id, head) for run_id, head in line["heads"].items()]
    return b"{" + b",".join(members) + b"}"


def _member(run_id: str, head: object) -> bytes:
    return canonical.dumps(run_id) + b":" + canonical.dumps(head)


@lru_cache(_NAMES_CACHED)
def _key(name: str) -> bytes:
    return canonical.dumps(name) + b":"


def _readable(written: Written, name: str, held: object) -> object:
    match held:
        case bytes() if name in USER_DATA:
            return _json(written, name, held)
        case bytes():
            return held.hex()
        case datetime():
            return iso(held)
        case tuple():
            return [*map(str, held)]  # pyright: ignore[reportUnknownArgumentType]  # of texts
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


def _json(written: Written, name: str, data: bytes) -> object:
    """User data; of bytes that are not canonical JSON the line would not tell which they were."""
    try:
        reference = reference_in(data)
        if reference is not None:
            return reference.to_json()
        held = canonical.loads(data)
        if canonical.dumps(held) == data:
            return held
        problem = "JSON that is not spelt canonically"
    except (ValueError, InvalidInput, NotSerialisable, RecursionError) as error:
        problem = f"bytes that are none ({error})"
    where = f"run {written.fields['run_id']!r}, event {written.fields['seq']}"
    raise CorruptLog(where, f"expected canonical JSON in {name!r}, found {problem}")
