"""Whose event a record is, without reading all of it: run and seq lead in every schema."""

from __future__ import annotations

from hitl_events.adapters.avro.primitives import read_length, read_varint
from hitl_events.adapters.avro.reader import UNREADABLE
from hitl_events.adapters.avro.schemas import HEAD_BYTES
from hitl_events.domain.values import RunId
from hitl_events.errors import CorruptLog


def whose(value: bytes) -> tuple[RunId, int]:
    """Run and seq of an event; `CorruptLog` where they can not be read."""
    try:
        length, start = read_length(value, HEAD_BYTES)
        end = start + (length >> 1)
        seq, _ = read_varint(value, end, 64)
        return RunId(value[start:end].decode()), seq >> 1
    except UNREADABLE as error:
        where = f"record of {len(value)} bytes"
        raise CorruptLog(where, f"expected an event, found: {error}") from None
