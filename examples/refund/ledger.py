"""The books of a small shop: one JSON object per line, appended under a lock.

It stands for any target with de-duplication: an entry whose key is there already is not written
again, the first one is given back. So a caller that does not know whether it came through may ask
again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TextIO

from pydantic import BaseModel

Kind = Literal["sale", "reserved", "released", "paid"]

# A reservation holds the money back, so that the payment itself changes nothing any more.
_SIGN: dict[Kind, int] = {"sale": 1, "reserved": -1, "released": 1, "paid": 0}


class Entry(BaseModel):
    """One line of the books. Amounts are whole cents."""

    key: str
    kind: Kind
    order: str
    customer: str
    cents: int


class Ledger:
    """The file at `path`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def sale(self, order: str) -> Entry:
        """The sale of an order; LookupError where there is none."""
        with self._locked() as file:
            found = [entry for entry in _entries(file) if entry.order == order]
        for entry in found:
            if entry.kind == "sale":
                return entry
        raise LookupError(f"expected a sale of order {order!r} in {self.path.name}, found none")

    def paid_to(self, customer: str) -> list[Entry]:
        """Earlier refunds of a customer."""
        with self._locked() as file:
            entries = list(_entries(file))
        return [entry for entry in entries if entry.customer == customer and entry.kind == "paid"]

    def add(self, new: Entry) -> Entry:
        """Append an entry, on disk when this returns; the first of that key if there is one."""
        with self._locked() as file:
            held = list(_entries(file))
            for entry in held:
                if entry.key == new.key:
                    return entry
            left = _left(held, new.order)
            if new.kind == "reserved" and new.cents > left:
                raise ValueError(
                    f"expected at most {left} cents, all that is left of order {new.order}, "
                    f"found {new.cents}"
                )
            file.write(json.dumps(new.model_dump(), ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
            return new

    @contextmanager
    def _locked(self) -> Generator[TextIO]:
        with self.path.open("r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # gone with the process, however it ends
            yield file


def _entries(file: Iterable[str]) -> Iterator[Entry]:
    for line in file:
        yield Entry.model_validate_json(line)


def _left(entries: Iterable[Entry], order: str) -> int:
    """What may still be paid back."""
    return sum(_SIGN[entry.kind] * entry.cents for entry in entries if entry.order == order)
