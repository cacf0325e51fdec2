"""A process that folds a file of events into a read model, and kills itself amid a piece.

projector_child.py URL FILE NTH     dies with SIGKILL at the NTH statement that writes
projector_child.py URL FILE 0       folds to the end
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.opening import open_read_model
from hitl_events.ports import StoredEvent
from hitl_events.runtime.projector import Projector

PIECE_EVENTS = 40


class Lines:
    """A partition whose events stand in a file, one a line, in hex."""

    def __init__(self, path: Path) -> None:
        self._values = [bytes.fromhex(line) for line in path.read_text().splitlines()]

    async def read(self, start: int = 0) -> AsyncIterator[Sequence[StoredEvent]]:
        """As the port says, in pieces of 7."""
        for first in range(start, len(self._values), 7):
            yield [
                StoredEvent(offset=first + at, value=value)
                for at, value in enumerate(self._values[first : first + 7])
            ]


class Dying:
    """A database whose process is gone at some statement: before it, or (odd ones) after it."""

    def __init__(self, database: Any, nth: int) -> None:
        self._database = database
        self._left = nth

    def __getattr__(self, name: str) -> Any:
        held = getattr(self._database, name)
        return self._counted(held) if name in {"change", "put"} else held

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self._left -= 2
            if self._left in {0, -1}:
                if self._left:
                    call(*arguments)
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments)

        return counted


def main(url: str, file: str, nth: str) -> None:
    """Fold it all, or die on the way."""
    database = open_read_model(url)
    dying: Any = Dying(database, int(nth)) if int(nth) else database
    projector = Projector(
        Lines(Path(file)), ReadModel(dying), AvroCodec(), piece_events=PIECE_EVENTS
    )
    asyncio.run(projector.catch_up())
    database.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
