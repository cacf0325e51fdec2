"""The read model: events folded and written a second, and what a question takes with many runs.

Each rate stands beside the database's own: executemany of the same rows, in the same pieces; both
with the collector as the programs set it that fold.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg

from benchmarks.bulk import fill, samples
from benchmarks.figures import Figure, percentile, side_by_side
from benchmarks.replay import values_in
from benchmarks.server import server_gc
from benchmarks.size import Size
from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel import postgres_schema, sqlite as sqlite_file
from hitl_events.adapters.readmodel.migrations import migrations
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.opening import open_read_model
from hitl_events.adapters.readmodel.reader import Questions
from hitl_events.adapters.readmodel.upserts import upsert
from hitl_events.domain.outcome import Outcome
from hitl_events.ports import StoredEvent
from hitl_events.projections.folding import Folding
from hitl_events.projections.tables import TABLES, Plain
from hitl_events.runtime.projector import PIECE_EVENTS, Projector
from tests.postgres.server import NoPostgres, Server, programs

REBUILD_EVENTS = 20_000
"""A piece of a rebuild: nobody reads what is being made."""
LIVE_PER_S, REBUILD_PER_S, POSTGRES_PER_S = 25_000, 60_000, 15_000
ANSWER_MS = 5.0
PENDING = 50

_PRAGMAS = (
    "page_size = 8192",
    "journal_mode = WAL",
    "synchronous = NORMAL",
    "cache_size = -65536",
)
Pieces = list[list[tuple[str, list[Plain]]]]


def measure(size: Size, folder: Path) -> list[Figure]:
    """The rates, then the questions; PostgreSQL where its packages are on this machine."""
    told = samples(folder / "sample", count=min(64, size.projected_runs), done=True)
    fill(folder / "data", told, size.projected_runs)
    log = _Held(asyncio.run(values_in(folder / "data")))
    with server_gc():
        figures = _rates(size, folder, log)
    return figures + _answers(size, folder)


def _rates(size: Size, folder: Path, log: _Held) -> list[Figure]:
    live = _Case("projector on SQLite", PIECE_EVENTS, LIVE_PER_S)
    rebuild = _Case("rebuild on SQLite", REBUILD_EVENTS, REBUILD_PER_S)
    files = _Files(folder)
    figures = [_rate(size, log, case, files) for case in (live, rebuild)]
    try:
        with _server() as server:
            case = _Case("projector on PostgreSQL", PIECE_EVENTS, POSTGRES_PER_S)
            figures.append(_rate(size, log, case, _Schemas(server)))
    except NoPostgres as missing:
        print(f"no figures of PostgreSQL: {missing}", file=sys.stderr)
    return figures


class _Held:
    """A partition in memory, given out in pieces as the log's blocks are."""

    def __init__(self, values: Sequence[bytes]) -> None:
        self.values = values
        self._events = [StoredEvent(offset=at, value=value) for at, value in enumerate(values)]

    async def read(self, start: int = 0) -> AsyncIterator[Sequence[StoredEvent]]:
        """As the port says."""
        for first in range(start, len(self._events), 256):
            yield self._events[first : first + 256]


class _Case:
    """What is measured: its name, the events of a piece, and what is aimed at."""

    def __init__(self, name: str, piece: int, per_s: int) -> None:
        self.name, self.piece, self.per_s = name, piece, per_s


class _Files:
    """SQLite, each time in a new file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0

    def url(self) -> str:
        """A read model that is not there yet."""
        self._made += 1
        return f"sqlite:///{self._folder / f'model-{self._made}.db'}"

    def raw(self, pieces: Pieces) -> float:
        """Seconds of the same rows by `sqlite3` alone, with the same settings."""
        self._made += 1
        connection = sqlite3.connect(self._folder / f"raw-{self._made}.db", isolation_level=None)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        for statement in migrations(sqlite_file.TYPES)[0]:
            connection.execute(statement)
        began = time.perf_counter()
        for piece in pieces:
            connection.execute("BEGIN IMMEDIATE")
            for sql, rows in piece:
                connection.executemany(sql, rows)
            connection.execute("COMMIT")
        took = time.perf_counter() - began
        connection.close()
        return took


class _Schemas:
    """PostgreSQL, each time in a new schema."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._made = 0

    def url(self) -> str:
        """A read model that is not there yet."""
        self._made += 1
        return f"{self._server.url}?schema=bench{self._made}"

    def raw(self, pieces: Pieces) -> float:
        """Seconds of the same rows by psycopg's own executemany, in its pipeline."""
        self._made += 1
        with psycopg.connect(self._server.url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA raw{self._made}".encode())
            connection.execute(f"SET search_path = raw{self._made}".encode())
            connection.execute("SET synchronous_commit = off")
            for statement in migrations(postgres_schema.TYPES)[0]:
                connection.execute(statement.encode())
            began = time.perf_counter()
            for piece in pieces:
                with connection.transaction(), connection.cursor() as cursor:
                    for sql, rows in piece:
                        cursor.executemany(sql.replace("?", "%s").encode(), rows)
            return time.perf_counter() - began


def _rate(size: Size, log: _Held, case: _Case, place: _Files | _Schemas) -> Figure:
    pieces = _pieces(log.values, case.piece)
    figure = side_by_side(
        f"{case.name}, {case.piece:,} to a piece",
        size.rounds,
        lambda: asyncio.run(_projected(place.url(), log, case.piece)),
        lambda: len(log.values) / place.raw(pieces),
    )
    return replace(figure, target=f"{case.per_s:,}", met=figure.value >= case.per_s)


async def _projected(url: str, log: _Held, piece: int) -> float:
    """Events a second, from an empty read model to the end of the log."""
    model = ReadModel(open_read_model(url))
    projector = Projector(log, model, AvroCodec(), piece_events=piece)
    began = time.perf_counter()
    end = await projector.catch_up()
    took = time.perf_counter() - began
    model.close()
    assert end == len(log.values)
    return len(log.values) / took


def _pieces(values: Sequence[bytes], piece: int) -> Pieces:
    """The rows that the fold gives, as they are handed to the database."""
    folding = Folding(AvroCodec(), lambda _: {})
    pieces: Pieces = []
    for start in range(0, len(values), piece):
        rows = folding.fold(values[start : start + piece])
        pieces.append([(upsert(table), table.rows(rows)) for table in TABLES])
    return pieces


def _answers(size: Size, folder: Path) -> list[Figure]:
    """`pending` and `show`, in a model of many runs of which half wait."""
    log = folder / "asked"
    for name, done in (("waiting", False), ("ended", True)):
        told = samples(folder / name, count=32, done=done)
        fill(log, told, size.asked_runs // 2)
    url = f"sqlite:///{folder / 'asked.db'}"
    asyncio.run(_projected(url, _Held(asyncio.run(values_in(log))), REBUILD_EVENTS))
    database = open_read_model(url, writable=False)
    ask, codec = Questions(database), AvroCodec()
    run_ids = list(ask.run_ids())
    step = max(1, len(run_ids) // size.asked)

    def pending(_run_id: str) -> object:
        return [
            (codec.decode(each.started), codec.decode(each.paused))
            for each in ask.open_pauses(limit=PENDING)
        ]

    def show(run_id: str) -> object:
        return Outcome([codec.decode(value) for value in ask.events(run_id)]).to_json()

    some = run_ids[::step][: size.asked]
    found = [
        _answer(f"pending, {PENDING} of {len(run_ids) // 2:,} open", pending, some),
        _answer(f"show, one of {len(run_ids):,} runs", show, some),
    ]
    database.close()
    return found


def _answer(name: str, ask: Callable[[str], object], run_ids: Sequence[str]) -> Figure:
    taken: list[float] = []
    for run_id in run_ids:
        began = time.perf_counter()
        assert ask(run_id)
        taken.append((time.perf_counter() - began) * 1e3)
    taken.sort()
    p99 = percentile(taken, 0.99)
    return Figure(
        name=f"{name}, p99",
        value=p99,
        unit="ms",
        median=percentile(taken, 0.5),
        target=f"{ANSWER_MS:g} ms",
        met=p99 <= ANSWER_MS,
    )


@contextmanager
def _server() -> Generator[Server]:
    server = Server(programs(), durable=True)
    try:
        server.start()
        yield server
    finally:
        server.stop()
