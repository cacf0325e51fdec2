"""The tables of the log and their version; knows nothing of what the rows mean."""

from __future__ import annotations

import sqlite3

APPLICATION_ID = 0x6869746C
"""`hitl` in ASCII: tells our file from any other SQLite database."""
VERSION = 1
PAGE_BYTES = 4096
"""Measured: deflated blocks fill these almost whole; larger pages stayed up to 40 % empty."""

_TABLES = """
-- One row. `imported`: only for reading, nothing may run here.
CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    owner_epoch INTEGER NOT NULL,
    imported INTEGER NOT NULL
);
INSERT INTO meta VALUES (1, 0, 0);

-- The events in the order of their commit; `first` is the offset of the first in the block.
CREATE TABLE blocks (
    first INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    data BLOB NOT NULL
);

-- What is kept by key of a run, in the order of their start. `run_id` has no type on purpose: a
-- UUID is a blob of 16 bytes, any other id is text.
CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    run_id NOT NULL UNIQUE,
    seq INTEGER NOT NULL,
    head BLOB NOT NULL,
    status INTEGER NOT NULL,
    due_us INTEGER,
    busy INTEGER NOT NULL,
    spans BLOB NOT NULL
);
CREATE INDEX runs_due ON runs (due_us) WHERE due_us IS NOT NULL;
CREATE INDEX runs_busy ON runs (run) WHERE busy = 1;

-- Unanswered submissions. AUTOINCREMENT: an offset is never given twice.
CREATE TABLE intake (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    key BLOB,
    value BLOB NOT NULL,
    headers TEXT NOT NULL,
    channel TEXT NOT NULL,
    arrived_us INTEGER NOT NULL
);
CREATE TABLE answers (
    id INTEGER PRIMARY KEY,
    run_id TEXT,
    seq INTEGER,
    reason TEXT,
    message TEXT NOT NULL,
    winner_id TEXT,
    winner_verdict TEXT,
    winner_by TEXT,
    winner_at_us INTEGER
);

CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    topic TEXT,
    partition INTEGER,
    "offset" INTEGER,
    timestamp_ms INTEGER,
    key BLOB,
    value BLOB NOT NULL,
    headers TEXT NOT NULL,
    recorded_us INTEGER NOT NULL
);
"""


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty database (in memory, or a file that nobody else sees yet)."""
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA encoding = 'UTF-8'")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(f"BEGIN; {_TABLES} COMMIT")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def problem(connection: sqlite3.Connection) -> str | None:
    """What keeps this database from being our log, and what to do; None if it is one."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        return "it is another program's database (or an empty file): move it away"
    if version > VERSION:
        return f"it has version {version}, newer than the known {VERSION}: upgrade hitl-events"
    return None
