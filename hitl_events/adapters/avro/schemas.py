"""Where the released schemas are, and which one a fingerprint names. It knows nothing of codecs.

`schemas/fingerprints.json` maps the fingerprint of every released schema, as hex of the 8 bytes
that stand in a record, to its file. `fingerprints.py` makes it and a test holds it true, so that no
process has to parse schemas in order to start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from hitl_events.adapters.avro.upcasters import UPCASTERS, Upcaster, Upcasters
from hitl_events.domain.events import EVENT_TYPES
from hitl_events.errors import InvalidInput

Schema: TypeAlias = dict[str, Any]

MARKER = b"\xc3\x01"
"""How a single-object encoded record begins; 8 bytes of fingerprint follow, little endian."""
HEAD_BYTES = len(MARKER) + 8
INDEX = "fingerprints.json"
EVENT_NAMES = tuple(event_type.__name__ for event_type in EVENT_TYPES)


@cache
def folder() -> Path:
    """The folder of the schemas: in the package where that was installed, beside it in a checkout.

    Not by importlib.resources, which takes 7 ms to import: as long as all of this package.
    """
    package = Path(__file__).parents[2]
    for found in (package / "schemas", package.parent / "schemas"):
        if (found / INDEX).is_file():
            return found
    raise InvalidInput(f"expected schemas/{INDEX} in {package}, found none; reinstall hitl-events")


class Catalogue:
    """The released schemas of one folder, and what makes today's events of the older ones."""

    def __init__(self, place: Path, upcasters: Upcasters) -> None:
        index: dict[str, str] = json.loads((place / INDEX).read_bytes())
        self.place = place
        # Read now, some 20 files: when the first record of a kind comes, a process may have no file
        # descriptor left, or the package may have been replaced beneath it.
        self._texts = {path: (place / path).read_bytes() for path in index.values()}
        self._upcasters = upcasters
        self.paths: Mapping[bytes, str] = {
            MARKER + bytes.fromhex(fingerprint): path for fingerprint, path in index.items()
        }
        # Superseded schemas stand in a folder of their own: they are read, never written.
        self._heads = {_name(path): head for head, path in self.paths.items() if "/" not in path}

    def head(self, name: str) -> bytes:
        """How every record that is written now of that event or command begins."""
        return self._heads[name]

    def name_of(self, value: bytes) -> str | None:
        """The event or command that a record is, by its head alone; None for an unknown one."""
        path = self.paths.get(value[:HEAD_BYTES])
        return None if path is None else _name(path)

    def load(self, path: str) -> Schema:
        """A schema by its file in the folder."""
        schema: Schema = json.loads(self._texts[path])
        return schema

    def upcasters(self, head: bytes) -> tuple[Upcaster, ...]:
        """What records with that head go through, in this order; nothing where defaults do."""
        name, version = _name(self.paths[head]), _version(self.paths[head])
        if version is None:
            return ()
        later = sorted(at for of, at in self._upcasters if of == name and at >= version)
        return tuple(self._upcasters[name, at] for at in later)


@cache
def ours() -> Catalogue:
    """The schemas of this release."""
    return Catalogue(folder(), UPCASTERS)


def released() -> Mapping[bytes, str]:
    """The file of every released schema, by the head of its records: marker and fingerprint."""
    return ours().paths


def head(name: str) -> bytes:
    """As `Catalogue.head`, of this release."""
    return ours().head(name)


def fingerprint(name: str) -> bytes:
    """CRC-64-AVRO of the schema in which that event or command is written, as in records."""
    return head(name)[len(MARKER) :]


def name_of(value: bytes) -> str | None:
    """As `Catalogue.name_of`, of this release."""
    return ours().name_of(value)


def schema_of(event_type: type) -> Schema:
    """The schema in which events of that class are written."""
    return load(f"{event_type.__name__}.avsc")


def load(path: str) -> Schema:
    """A released schema by its file in the folder."""
    return ours().load(path)


def _name(path: str) -> str:
    """`StepCompleted` of `StepCompleted.avsc` and of `superseded/StepCompleted.1.avsc`."""
    return path.rpartition("/")[2].partition(".")[0]


def _version(path: str) -> int | None:
    """1 of `superseded/StepCompleted.1.avsc`; None of the schema that is written now."""
    return int(path.rpartition("/")[2].split(".")[1]) if "/" in path else None
