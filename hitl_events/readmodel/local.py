"""The read model of an embedded log: whoever asks it folds first what is new.

So it needs no process of its own, and a reader sees what was committed before it asked.
"""

from __future__ import annotations

from contextlib import ExitStack, closing

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.database import Database
from hitl_events.adapters.readmodel.held import PLACES, octets
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.targets import Target
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.errors import ReadModelDiffers
from hitl_events.readmodel.rebuilding import Told
from hitl_events.runtime.projector import Projector

FILE = "read-model.db"
"""Its name in a data directory."""
_LAST = """SELECT places.next_offset, places.last_offset, events.value FROM places
JOIN events ON events.run_id = places.last_run AND events.seq = places.last_seq
WHERE places.partition = 0"""
_NO_PLACE = """SELECT 1 FROM events
WHERE NOT EXISTS (SELECT 1 FROM places WHERE partition = 0) LIMIT 1"""


async def caught_up(log: SqliteLog, target: Target, told: Told) -> Database:
    """The read model there, with all that the log has now; the caller closes it.

    `ReadModelDiffers` if it was folded from another log.
    """
    with ExitStack() as undo:
        database = undo.enter_context(closing(target.open()))
        if await _is_current(log, database):
            undo.pop_all()
            return database
    with target.folding(), ExitStack() as undo:
        database = target.open()  # which may be another now: a rebuilt one
        undo.callback(database.close)
        await Projector(log, ReadModel(database), AvroCodec()).catch_up(told)
        undo.pop_all()
    return database


async def _is_current(log: SqliteLog, database: Database) -> bool:
    """Whether it ends with the last event of the log; it asks nobody and writes nothing.

    One with events that does not know how far it is would fold them a second time.
    """
    found = database.rows(_LAST)
    if not found and database.rows(_NO_PLACE):
        raise ReadModelDiffers(0, 0)
    end = await log.end()
    if not found or found[0][:2] != (end, end - 1):
        return False
    _, last_offset, value = found[0]
    async for piece in log.read(last_offset):
        return piece[0].value == octets(value, PLACES)
    return False
