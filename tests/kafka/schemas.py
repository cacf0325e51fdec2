"""Reads events with nothing but the published schemas and fastavro: none of our own code."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import fastavro

FASTAVRO: Any = fastavro
"""Its types are partly unknown."""

SCHEMAS = Path(__file__).parents[2] / "schemas"
MARKER = b"\xc3\x01"
HEAD_BYTES = 10


class Unreadable(Exception):
    """The bytes are not exactly one record of a released schema."""


def read_event(value: bytes) -> tuple[str, dict[str, Any]]:
    """The name of the event and its fields; `Unreadable`."""
    if value[:2] != MARKER:
        raise Unreadable(f"expected {MARKER.hex()} first, found {value[:2].hex()!r}")
    schema = _by_fingerprint().get(value[2:HEAD_BYTES])
    if schema is None:
        raise Unreadable(f"unknown fingerprint {value[2:HEAD_BYTES].hex()}")
    body = io.BytesIO(value[HEAD_BYTES:])
    try:
        fields: dict[str, Any] = FASTAVRO.schemaless_reader(body, schema, None)
    except (EOFError, ValueError, IndexError, OverflowError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from None
    if left := body.read():
        raise Unreadable(f"{len(left)} bytes too many")
    return schema["name"].rpartition(".")[2], fields


def write_event(name: str, fields: dict[str, Any]) -> bytes:
    """A record as a writer in another language would make it."""
    by_name = {schema["name"]: head for head, schema in _by_fingerprint().items()}
    head = by_name[f"hitl.v1.{name}"]
    body = io.BytesIO()
    FASTAVRO.schemaless_writer(body, _by_fingerprint()[head], fields)
    return MARKER + head + body.getvalue()


@cache
def _by_fingerprint() -> dict[bytes, Any]:
    index: dict[str, str] = json.loads((SCHEMAS / "fingerprints.json").read_text(encoding="utf-8"))
    return {bytes.fromhex(text): _parsed(SCHEMAS / file) for text, file in index.items()}


def _parsed(path: Path) -> Any:
    return FASTAVRO.parse_schema(json.loads(path.read_text(encoding="utf-8")), named_schemas={})
