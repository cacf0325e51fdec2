"""A read model on a real PostgreSQL server: races, a server that goes away, one that hangs."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg
import pytest

from hitl_events.adapters.readmodel import postgres_session
from hitl_events.adapters.readmodel.contents import digest_of
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.opening import open_read_model, target_of
from hitl_events.adapters.readmodel.reader import Questions
from hitl_events.errors import Fenced, LogUnavailable
from hitl_events.projections.rows import Rows
from hitl_events.readmodel.rebuilding import rebuild
from hitl_events.testing.checks.read_model_samples import Told, Writer, differences, filled
from tests.postgres.server import DATABASE, Server

TOLD = Told(21)
WAITS_S_MAX = 20.0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Others at the same time."""
    with ThreadPoolExecutor(8) as threads:
        yield threads


@contextmanager
def model_at(url: str) -> Generator[ReadModel]:
    model = ReadModel(open_read_model(url))
    try:
        yield model
    finally:
        model.close()


def until(server: Server, sql: str) -> None:
    """Ask the server until it says yes."""
    with psycopg.connect(server.url, autocommit=True) as asking:
        for _ in range(int(WAITS_S_MAX / 0.02)):
            found = asking.execute(f"SELECT ({sql}), pg_sleep(0.02)".encode()).fetchone()
            if found is not None and found[0]:
                return
    raise AssertionError(f"expected {sql} within {WAITS_S_MAX:g} s")


def test_a_stale_writer_waits_for_who_takes_over_and_then_writes_nothing(
    postgres: Server, postgres_url: str, pool: ThreadPoolExecutor
) -> None:
    """Two connections at once: the write comes while the taking over is under way, and fails."""
    with model_at(postgres_url) as one, model_at(postgres_url) as two:
        stale = filled(one, TOLD.log[:30])
        before = digest_of(two.database)
        with two.database.transaction():
            two.database.change("UPDATE places SET epoch = epoch + 1 WHERE partition = ?", [(0,)])
            writing: Future[None] = pool.submit(stale.write, TOLD.log[30:])
            until(postgres, "EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            assert not writing.done()

        with pytest.raises(Fenced):
            writing.result(WAITS_S_MAX)
        assert digest_of(two.database) == before
        Writer(two).write(TOLD.log[30:])
        assert differences(two.database, TOLD.runs) == []


def test_who_takes_over_waits_for_the_piece_that_is_being_written(
    postgres: Server, postgres_url: str, pool: ThreadPoolExecutor
) -> None:
    """The other way round: the piece is committed, and the one who takes over goes on after it."""
    with model_at(postgres_url) as one, model_at(postgres_url) as two:
        writer = filled(one, TOLD.log[:30])
        with one.database.transaction():
            one.database.change("UPDATE places SET next_offset = 31 WHERE partition = ?", [(0,)])
            taking = pool.submit(Writer, two)
            until(postgres, "EXISTS (SELECT FROM pg_locks WHERE NOT granted)")

        assert taking.result(WAITS_S_MAX).tenure.next_offset == 31
        with pytest.raises(Fenced):
            one.write(writer.tenure, Rows(), 32, 31)


def test_of_many_processes_one_makes_the_tables(
    postgres_url: str, pool: ThreadPoolExecutor
) -> None:
    """Opened by eight at the same moment, the schema is made once and all of them may work."""
    opened = list(pool.map(open_read_model, [postgres_url] * 8))

    for database in opened:
        assert database.rows("SELECT version FROM migrations") == [(1,)]
        database.close()


def test_partitions_are_written_at_the_same_time(
    postgres_url: str, pool: ThreadPoolExecutor
) -> None:
    """Four writers, each with a partition, count into the same counters and never lock up."""
    logs = TOLD.partitions(4)

    def write(number: int) -> None:
        with model_at(postgres_url) as model:
            Writer(model, number).write(logs[number], piece=3)

    list(pool.map(write, range(4)))

    with model_at(postgres_url) as model:
        assert differences(model.database, TOLD.runs) == []


def test_a_schema_of_others_is_refused(postgres: Server, postgres_url: str) -> None:
    """Tables that are not ours stay as they are; so does a model of a newer release."""
    schema = postgres_url.rpartition("=")[2]
    with psycopg.connect(postgres.url, autocommit=True) as other:
        other.execute(f"CREATE SCHEMA {schema}".encode())
        other.execute(f"CREATE TABLE {schema}.theirs (id int)".encode())
        with pytest.raises(LogUnavailable, match="another program's tables"):
            open_read_model(postgres_url)

        other.execute(f"DROP TABLE {schema}.theirs".encode())
        open_read_model(postgres_url).close()
        other.execute(f"INSERT INTO {schema}.migrations VALUES (99)".encode())
        for writable in (True, False):
            with pytest.raises(LogUnavailable, match="version 99, newer than the known"):
                open_read_model(postgres_url, writable=writable)


async def test_a_rebuild_takes_no_schema_of_others(postgres: Server, postgres_url: str) -> None:
    """Neither tables, be they named as ours, nor anything else is replaced; an empty schema is."""
    schema = postgres_url.rpartition("=")[2]
    with psycopg.connect(postgres.url, autocommit=True) as other:
        other.execute(f"CREATE SCHEMA {schema}".encode())
        for kind, made in (
            ("TABLE", f"{schema}.places (epoch int)"),
            ("TYPE", f"{schema}.theirs AS ENUM ('a')"),
        ):
            other.execute(f"CREATE {kind} {made}".encode())
            with pytest.raises(LogUnavailable, match="another program's tables"):
                await rebuild({}, target_of(postgres_url), lambda _: None)
            other.execute(f"DROP {kind} {made.split(' ')[0]}".encode())

    await rebuild({}, target_of(postgres_url), lambda _: None)
    open_read_model(postgres_url, writable=False).close()


async def test_a_rebuild_touches_no_other_read_model(postgres: Server) -> None:
    """Whatever the schemas beside it are called, also if that is a word of SQL."""
    urls = [
        f"{postgres.url}?schema={schema}"
        for schema in ("select", "select_new", "select_old", "a" * 63, f"{'a' * 62}b")
    ]
    for url in urls:
        with model_at(url) as model:
            filled(model, TOLD.log[:30])
    before = [_digest(url) for url in urls[1:]]

    await rebuild({}, target_of(urls[0]), lambda _: None)
    assert [_digest(url) for url in urls[1:]] == before != [_digest(urls[0])] * 4
    with (
        target_of(urls[3]).rebuilding() as one,
        target_of(urls[4]).rebuilding() as two,
        closing(one.open()) as first,
        closing(two.open()) as second,
    ):
        assert first.place != second.place


def _digest(url: str) -> bytes:
    with model_at(url) as model:
        return digest_of(model.database)


def test_no_message_shows_the_password(postgres: Server, postgres_url: str) -> None:
    """Wrong password, no such database, no server: one line with the place, and no secret."""
    wrong = "wr0ng"
    urls = [
        postgres_url.replace(postgres.password, wrong),
        postgres_url.replace(f"/{DATABASE}?", "/nowhere?"),
        postgres_url.replace(f":{postgres.port}/", ":1/"),
        postgres_url.replace("127.0.0.1", "no-such-host.invalid"),
    ]
    for url in urls:
        with pytest.raises(LogUnavailable) as caught:
            open_read_model(url)

        text = f"{caught.value}{caught.value.__cause__}"
        assert "expected to use the read model in database" in text
        assert "\n" not in text
        assert wrong not in text
        assert postgres.password not in text


def test_a_server_that_goes_away_loses_nothing(postgres: Server, postgres_url: str) -> None:
    """Killed in the middle of a transaction: an error of ours; made anew, the writer goes on."""
    with model_at(postgres_url) as model:
        writer = filled(model, TOLD.log[:30])
        with pytest.raises(LogUnavailable), model.database.transaction():
            model.database.change("DELETE FROM events WHERE seq = ?", [(1,)])
            postgres.kill()
            model.database.rows("SELECT count(*) FROM runs")
        with pytest.raises(LogUnavailable):
            writer.write(TOLD.log[30:40])
        with pytest.raises(LogUnavailable):
            open_read_model(postgres_url)
        postgres.start()

    with model_at(postgres_url) as model:
        again = Writer(model)
        again.write(TOLD.log[again.tenure.next_offset :], piece=7)
        assert differences(model.database, TOLD.runs) == []
        assert Questions(model.database).places() == {0: len(TOLD.log)}


def test_a_session_that_is_ended_is_an_error_of_ours(postgres: Server, postgres_url: str) -> None:
    """An administrator ends it between two pieces: the next one says so, and nothing is half."""
    with model_at(postgres_url) as model:
        writer = filled(model, TOLD.log[:30])
        [(pid,)] = model.database.rows("SELECT pg_backend_pid()")
        with psycopg.connect(postgres.url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (pid,))
        with pytest.raises(LogUnavailable):
            writer.write(TOLD.log[30:])

    with model_at(postgres_url) as model:
        Writer(model).write(TOLD.log[30:])
        assert differences(model.database, TOLD.runs) == []


def test_a_server_that_hangs_is_not_waited_for_for_ever(
    postgres: Server, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that stands still is given up after a bounded time."""
    monkeypatch.setattr(postgres_session, "ANSWER_S", 0.5)
    with model_at(postgres_url) as model:
        postgres.send(signal.SIGSTOP)
        try:
            with pytest.raises(LogUnavailable):
                model.database.rows("SELECT count(*) FROM runs")
        finally:
            postgres.send(signal.SIGCONT)


@pytest.mark.parametrize(
    ("setting", "held_s"), [("STANDSTILL_S", 15), ("STATEMENT_S", 30)], ids=["idle", "statement"]
)
def test_nobody_is_kept_waiting_for_ever(
    setting: str, held_s: int, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that stands still in a transaction is cut off; who waits too long is told so."""
    assert getattr(postgres_session, setting) == held_s
    monkeypatch.setattr(postgres_session, setting, 1)
    with model_at(postgres_url) as frozen, model_at(postgres_url) as model:
        filled(model, TOLD.log[:30])
        entered = frozen.database.transaction()
        entered.__enter__()
        frozen.database.change("UPDATE places SET epoch = epoch WHERE partition = ?", [(0,)])

        if setting == "STANDSTILL_S":
            assert Writer(model).tenure.next_offset == 30
        else:
            with pytest.raises(LogUnavailable, match="took more than"):
                Writer(model)
