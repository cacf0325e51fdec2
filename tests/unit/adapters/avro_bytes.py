"""What a sender with an Avro library of its own writes."""

import io
from typing import Any

import fastavro

FASTAVRO: Any = fastavro
"""Its types are partly unknown."""


def body_of(schema: Any, fields: dict[str, Any]) -> bytes:
    """The Avro binary of a record in that schema, without any frame."""
    body = io.BytesIO()
    FASTAVRO.schemaless_writer(body, FASTAVRO.parse_schema(schema, named_schemas={}), fields)
    return body.getvalue()
