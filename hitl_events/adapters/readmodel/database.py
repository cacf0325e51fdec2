"""What the read model asks of a database; SQLite and PostgreSQL each have one of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from hitl_events.projections.tables import Plain, Table


class Database(Protocol):
    """One connection. Statements are the same for all, `?` stands for a parameter.

    What the driver raises leaves it as a `LogUnavailable` that names the place.
    """

    @property
    def place(self) -> str:
        """What it is, for messages; no password stands in it."""
        ...

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """All rows of a query; its writer bounds them. Of a statement without rows none."""
        ...

    def stream(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Any]:
        """The rows of a query that has many, a piece at a time."""
        ...

    def change(self, sql: str, parameters: Iterable[Sequence[object]]) -> int:
        """Run a statement for each tuple of parameters; how many rows it changed in all."""
        ...

    def put(self, table: Table, rows: Sequence[Plain]) -> None:
        """Rows of different keys: those of a final table are new, others replace what they are of.

        Any number of them, as quickly as this database can.
        """
        ...

    def flaw(self) -> str | None:
        """What is wrong with its own structure, such as an index that leads to some rows only.

        None if nothing is, or if this database can not tell.
        """
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """All of the writes inside or none."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Reads inside see one moment of it, whatever is written meanwhile."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...
