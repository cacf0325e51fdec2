"""Prints the field reference, `docs/events.md`: run `make docs` after a change of a schema."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from hitl_events.adapters.avro.schemas import (
    EVENT_NAMES,
    Schema,
    fingerprint,
    load,
    released,
)

ENVELOPE = 4
"""The fields that every event begins with."""

_HEAD = """\
# Events and commands, field by field

Made by `make docs` from the files in `schemas/`, which are the contract; `schemas/README.md` says
how a record is read and how a schema may change. A type with `?` may be null. Times are
microseconds since 1970, UTC. User data that is too large for its event is a reference there.
"""
_COMMANDS = """\
## Commands

What may be put on the topics of commands and decisions; as JSON the fields have the same names.
"""


def reference() -> str:
    """The whole page."""
    names = dict.fromkeys(path.partition(".")[0] for path in released().values() if "/" not in path)
    commands = [name for name in names if name not in EVENT_NAMES]
    first = load(f"{EVENT_NAMES[0]}.avsc")["fields"][:ENVELOPE]
    nested: dict[str, Schema] = {}
    page = [_HEAD, "## Every event\n", _table(first, nested), "## Events\n"]
    for name in EVENT_NAMES:
        page += _section(name, ENVELOPE, nested)
    page.append(_COMMANDS)
    for name in commands:
        page += _section(name, 0, nested)
    page.append("## Types within them\n")
    for name, schema in nested.items():
        page += [f"### {name}\n", f"{schema['doc']}\n", _table(schema["fields"], {})]
    return "\n".join(page).rstrip() + "\n"


def _section(name: str, skipped: int, nested: dict[str, Schema]) -> Iterator[str]:
    schema = load(f"{name}.avsc")
    yield f"### {name}\n"
    yield f"{schema['doc']} Fingerprint `{fingerprint(name).hex()}`.\n"
    yield _table(schema["fields"][skipped:], nested)


def _table(fields: Iterable[Schema], nested: dict[str, Schema]) -> str:
    rows = [
        f"| `{field['name']}` | {_type(field['type'], nested)} | {_cell(field['doc'])} |"
        for field in fields
    ]
    return "\n".join(["| field | type | meaning |", "|---|---|---|", *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _type(kind: Any, nested: dict[str, Schema]) -> str:
    match kind:
        case ["null", other]:
            return f"{_type(other, nested)}?"
        case {"type": "record", "name": name}:
            nested.setdefault(name, kind)
            return f"[{name}](#{name.lower()})"
        case {"type": "fixed", "name": name, "size": size}:
            return f"{name} ({size} bytes)"
        case {"type": "array", "items": items}:
            return f"list of {_type(items, nested)}"
        case {"logicalType": "timestamp-micros"}:
            return "time"
        case str():
            return kind.removeprefix("hitl.v1.")
        case _:
            raise ValueError(f"expected a type that this page can show, found {kind!r}")


if __name__ == "__main__":
    sys.stdout.write(reference())
