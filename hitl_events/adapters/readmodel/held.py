"""What is read back from a read model: of the kind that a fold writes, or `DamagedReadModel`.

A column of SQLite may hold any kind of value, whatever it was declared as.
"""

from __future__ import annotations

from hitl_events.errors import DamagedReadModel

PLACES = "how far each partition is folded"


def damaged(what: str) -> DamagedReadModel:
    """What is told where the rows of `what` are such as no fold writes."""
    where = f"{what} in the read model"
    return DamagedReadModel(where, "expected rows that events give, found others")


def text(held: object, what: str) -> str:
    """A text of a row of `what`."""
    if not isinstance(held, str):
        raise damaged(what)
    return held


def number(held: object, what: str) -> int:
    """A whole number of a row of `what`."""
    if not isinstance(held, int):
        raise damaged(what)
    return held


def octets(held: object, what: str) -> bytes:
    """Bytes of a row of `what`; PostgreSQL's driver may give another buffer."""
    if not isinstance(held, bytes | memoryview):
        raise damaged(what)
    return bytes(held)
