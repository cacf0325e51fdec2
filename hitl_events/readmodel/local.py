"""The read model beside an embedded log: whoever asks it folds first what is new.

So it needs no process of its own, and a reader sees what was committed before it asked.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.files import discard, exchange, folding, opening, rebuilding
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.sqlite import SqliteDatabase, check_ours, open_sqlite
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.errors import ReadModelDiffers
from hitl_events.runtime.projector import Projector

FILE = "read-model.db"
"""Its name in a data directory."""
REBUILD_PIECE_EVENTS = 20_000
"""Nobody waits for one of them: larger pieces write the same row less often."""

_LAST = """SELECT places.next_offset, places.last_offset, events.value FROM places
JOIN events ON events.run_id = places.last_run AND events.seq = places.last_seq
WHERE places.partition = 0"""

Told = Callable[[int], None]


async def caught_up(log: SqliteLog, path: Path, told: Told) -> SqliteDatabase:
    """The read model at that path, with all that the log has now; the caller closes it.

    `ReadModelDiffers` if it was folded from another log.
    """
    database = open_sqlite(path)
    with ExitStack() as undo:
        undo.callback(database.close)
        if await _is_current(log, database):
            undo.pop_all()
            return database
    with folding(path), ExitStack() as undo:
        database = open_sqlite(path)  # which may be another now: a rebuilt one
        undo.callback(database.close)
        await Projector(log, ReadModel(database), AvroCodec()).catch_up(told)
        undo.pop_all()
    return database


async def rebuild(log: SqliteLog, path: Path, told: Told) -> int:
    """Fold all of it into a new file, which then takes the place of the old one; its events.

    Killed at any moment, the old one stands, and the next call goes on where this one ended.
    """
    with rebuilding(path) as new:
        check_ours(path)
        try:
            await _built(log, new, told)
        except ReadModelDiffers:  # what was begun there is of another log
            discard(new)
            await _built(log, new, told)
        with folding(path), opening(path):
            end = await _built(log, new, told)
            exchange(path, new)
    return end


async def _built(log: SqliteLog, new: Path, told: Told) -> int:
    database = open_sqlite(new)
    try:
        projector = Projector(
            log, ReadModel(database), AvroCodec(), piece_events=REBUILD_PIECE_EVENTS
        )
        return await projector.catch_up(told)
    finally:
        database.close()


async def _is_current(log: SqliteLog, database: SqliteDatabase) -> bool:
    """Whether it ends with the last event of the log; it asks nobody and writes nothing."""
    found = database.row(_LAST)
    if found is None or found[0] != await log.end():
        return False
    async for piece in log.read(found[1]):
        return bool(piece[0].value == found[2])
    return False
