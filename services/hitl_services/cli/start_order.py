"""Runs of several files in the order of their start, whatever file each stands in.

They are spilled to a temporary file, so their number does not count in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.trouble import translated
from hitl_events.domain.values import micros

_NAME = Path("the temporary file (TMPDIR says where)")
_CACHE_KIB = 16 * 1024
_TABLE = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -{_CACHE_KIB};
CREATE TABLE events (
    started_us INTEGER NOT NULL,
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (started_us, run, seq)
) WITHOUT ROWID;
BEGIN
"""
_ADD = "INSERT INTO events VALUES (?, ?, ?, ?)"
_ALL = "SELECT run, value FROM events ORDER BY started_us, run, seq"


def in_order_of_start(
    files: Iterable[Iterable[Sequence[bytes]]],
) -> Iterator[Sequence[bytes]]:
    """The histories of all files; those of one file stay in its order.

    That is the order of the log, which a clock that was set back does not change.
    """
    # An empty name is a file of this connection alone, which is gone when it is closed.
    with closing(sqlite3.connect("", isolation_level=None)) as connection:
        try:
            connection.executescript(_TABLE)
            _spill(connection, files)
            for _, rows in groupby(connection.execute(_ALL), itemgetter(0)):
                yield tuple(value for _, value in rows)
        except sqlite3.Error as error:
            raise translated(_NAME, error) from error


def _spill(connection: sqlite3.Connection, files: Iterable[Iterable[Sequence[bytes]]]) -> None:
    codec = AvroCodec()
    run = 0
    for histories in files:
        started_us = 0
        for values in histories:
            run += 1
            started_us = max(started_us, micros(codec.decode(values[0]).recorded_at))
            rows = ((started_us, run, seq, value) for seq, value in enumerate(values, 1))
            connection.executemany(_ADD, rows)
