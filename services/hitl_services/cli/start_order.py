"""Runs of several files in the order of their start, whatever file each stands in.

They are spilled to a temporary file, so their number does not count in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from operator import itemgetter

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.temporary import TemporaryTables
from hitl_events.domain.values import micros

_TABLE = """
CREATE TABLE events (
    started_us INTEGER NOT NULL,
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (started_us, run, seq)
) WITHOUT ROWID
"""
_ADD = "INSERT INTO events VALUES (?, ?, ?, ?)"
_ALL = "SELECT run, value FROM events ORDER BY started_us, run, seq"


def in_order_of_start(
    files: Iterable[Iterable[Sequence[bytes]]],
) -> Iterator[Sequence[bytes]]:
    """The histories of all files; those of one file stay in its order.

    That is the order of the log, which a clock that was set back does not change.
    """
    with closing(TemporaryTables(_TABLE)) as tables:
        _spill(tables, files)
        for _, rows in groupby(tables.rows(_ALL), itemgetter(0)):
            yield tuple(value for _, value in rows)


def _spill(tables: TemporaryTables, files: Iterable[Iterable[Sequence[bytes]]]) -> None:
    codec = AvroCodec()
    run = 0
    for histories in files:
        started_us = 0
        for values in histories:
            run += 1
            started_us = max(started_us, micros(codec.decode(values[0]).recorded_at))
            rows = ((started_us, run, seq, value) for seq, value in enumerate(values, 1))
            tables.add(_ADD, rows)
