"""Makes `schemas/fingerprints.json`: run `python -m hitl_events.adapters.avro.fingerprints`.

The only module that imports fastavro: it parses and validates, and computes the Parsing Canonical
Form and its CRC-64-AVRO. Nothing of that is needed by a process that reads or writes records.
"""

from __future__ import annotations

import json
from pathlib import Path

from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

from hitl_events.adapters.avro.schemas import INDEX, Schema, folder


def index_of(schemas: Path) -> dict[str, str]:
    """Fingerprint (hex, as it stands in a record) -> file, of every schema in the folder."""
    files = sorted(schemas.rglob("*.avsc"))
    found = {file.relative_to(schemas).as_posix(): file.read_bytes() for file in files}
    return {crc_64_avro(json.loads(text)): path for path, text in found.items()}


def crc_64_avro(schema: Schema) -> str:
    """The fingerprint of the schema's Parsing Canonical Form, little endian, as hex."""
    # Without the dictionary of its own, fastavro would share names between files.
    parsed = parse_schema(schema, named_schemas={})
    return fingerprint(to_parsing_canonical_form(parsed), "CRC-64-AVRO")


def text_of(index: dict[str, str]) -> str:
    """The file's one spelling."""
    return json.dumps(index, indent=2) + "\n"


if __name__ == "__main__":
    place = folder()
    (place / INDEX).write_text(text_of(index_of(place)), encoding="utf-8")
