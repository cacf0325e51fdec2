"""Where a read model lives, for whoever folds into it or puts a new one in its place."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from hitl_events.adapters.readmodel.database import Database


class Building(Protocol):
    """A new read model beside the live one; what a killed rebuild left is gone on with."""

    def open(self) -> Database:
        """The new one, as far as it is; made if it is not there."""
        ...

    def discard(self) -> None:
        """Throw away what there is of it."""
        ...

    def exchanging(self) -> AbstractContextManager[None]:
        """At the end of the block it takes the place of the live one; nobody folds meanwhile."""
        ...


class Target(Protocol):
    """The place of a read model."""

    @property
    def place(self) -> str:
        """What it is, for messages; no password stands in it."""
        ...

    def open(self, *, writable: bool = True) -> Database:
        """The live one; made if it is not there and is `writable`, else `NoReadModel`."""
        ...

    def folding(self) -> AbstractContextManager[None]:
        """We alone fold into it: who comes later waits instead of fencing us."""
        ...

    def rebuilding(self) -> AbstractContextManager[Building]:
        """We alone rebuild it; `LogUnavailable` if another does."""
        ...
