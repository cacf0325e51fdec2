"""Two older schemas of `StepFailed`, never released: what a mixed log and its upcasters look like.

Version 1 had one text, `failure`; version 2 split it into `error` and `text`; today's calls the
latter `message`.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.avro.fingerprints import index_of, text_of
from hitl_events.adapters.avro.schemas import INDEX, Catalogue, Schema, folder
from hitl_events.adapters.avro.upcasters import Fields
from hitl_events.adapters.avro.writer import compile_writer
from hitl_events.domain.events import Event, StepFailed
from hitl_events.domain.values import NO_DIGEST

NAME = "StepFailed"
TODAY = 3


def split(found: Fields) -> Fields:
    """Version 1 to 2: `failure` was `error: text`."""
    kept = {name: held for name, held in found.items() if name != "failure"}
    error, _, text = str(found["failure"]).partition(": ")
    return kept | {"error": error, "text": text}


def rename(found: Fields) -> Fields:
    """Version 2 to 3: `text` became `message`."""
    kept = {name: held for name, held in found.items() if name != "text"}
    return kept | {"message": found["text"]}


UPCASTERS = {(NAME, 1): split, (NAME, 2): rename}


def catalogue_in(place: Path) -> Catalogue:
    """The schemas of this release and the two before, in a folder of their own."""
    shutil.copytree(folder(), place, dirs_exist_ok=True)
    (place / "superseded").mkdir(exist_ok=True)
    for version in (1, 2):
        text = json.dumps(_schema(version))
        (place / "superseded" / f"{NAME}.{version}.avsc").write_text(text, encoding="utf-8")
    (place / INDEX).write_text(text_of(index_of(place)), encoding="utf-8")
    return Catalogue(place, UPCASTERS)


def mixed(events: Sequence[Event], versions: Sequence[int], held: Catalogue) -> list[bytes]:
    """The records of a run, chained, its failures written in these versions one after another."""
    codec = AvroCodec(held)
    left = list(versions)
    values: list[bytes] = []
    head = NO_DIGEST
    for event in events:
        placed = replace(event, prev_digest=head)
        version = left.pop(0) if isinstance(placed, StepFailed) else TODAY
        value = codec.encode(placed) if version == TODAY else _written(placed, version, held)
        values.append(value)
        head = sha256(value).digest()
    assert not left
    return values


def _schema(version: int) -> Schema:
    today = json.loads((folder() / f"{NAME}.avsc").read_text(encoding="utf-8"))
    text = {"type": "string", "doc": "Text of the error."}
    older: list[Any] = []
    for field in today["fields"]:
        match field["name"]:
            case "error" if version == 1:
                older.append({**text, "name": "failure"})
            case "message" if version == 1:
                pass
            case "message":
                older.append({**text, "name": "text"})
            case _:
                older.append(field)
    return {**today, "fields": older, "namespace": f"hitl.older{version}"}


def _written(event: Event, version: int, held: Catalogue) -> bytes:
    path = f"superseded/{NAME}.{version}.avsc"
    head = next(head for head, each in held.paths.items() if each == path)
    assert isinstance(event, StepFailed)
    known = {field.name: getattr(event, field.name) for field in fields(event)}
    known |= {"failure": f"{event.error}: {event.message}", "text": event.message}
    return compile_writer(held.load(path), head)(SimpleNamespace(**known))
