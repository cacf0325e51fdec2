"""Where the events of a run stand in the log: stretches of offsets, as varints. Pure.

A stretch is its first offset and its length, both LEB128. The stretches of one commit are added to
those before by concatenation, so that nothing needs to be read to write them.
"""

from __future__ import annotations

from collections.abc import Iterable

from hitl_events.adapters.avro.primitives import write_varint
from hitl_events.domain.values import RunId

Span = tuple[int, int]
"""First offset, number of events."""

_GROUP = 0x7F
_MORE = 0x80


def spans_of(run_ids: Iterable[RunId], first: int) -> dict[RunId, list[Span]]:
    """The stretches of each run, where the events of these runs get the offsets from `first` on."""
    found: dict[RunId, list[Span]] = {}
    for offset, run_id in enumerate(run_ids, first):
        spans = found.get(run_id)
        if spans is None:
            found[run_id] = [(offset, 1)]
            continue
        start, length = spans[-1]
        if start + length == offset:
            spans[-1] = (start, length + 1)
        else:
            spans.append((offset, 1))
    return found


def encode(spans: Iterable[Span]) -> bytes:
    """Their stored form."""
    out = b""
    for start, length in spans:
        out += write_varint(start) + write_varint(length)
    return out


def decode(data: bytes) -> list[Span]:
    """The stretches of a stored form; ValueError for half a one."""
    numbers: list[int] = []
    number = shift = 0
    for byte in data:
        number |= (byte & _GROUP) << shift
        shift += 7
        if byte < _MORE:
            numbers.append(number)
            number = shift = 0
    if shift or len(numbers) % 2:
        raise ValueError("a cut list of offsets")
    pairs = iter(numbers)
    return list(zip(pairs, pairs, strict=True))
