"""Every question and every write finds its rows by an index: the databases' own plans say so."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from hitl_events.adapters.readmodel.database import Database
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.opening import open_read_model
from hitl_events.adapters.readmodel.reader import Questions
from hitl_events.domain.values import RunId, moment
from hitl_events.projections.rows import Rows
from hitl_events.projections.tables import EVENTS, GATES, RUNS, Plain
from hitl_events.testing.checks.read_model_samples import Told, filled

RUNS_THERE = 2_000
OPEN_EVERY = 4
START_US = 1_767_225_600_000_000
SMALL = {"counters", "places"}
"""Tables of some dozens of rows, in which nothing is quicker than to look at all of them."""

QUESTIONS: dict[str, Callable[[Questions], object]] = {
    "pending, limit": lambda ask: ask.open_pauses(limit=50),
    "pending, recipe": lambda ask: ask.open_pauses(recipe="recipe-3", limit=50),
    "pending, recipe, all": lambda ask: ask.open_pauses(recipe="recipe-3"),
    "pending, older": lambda ask: ask.open_pauses(until=moment(START_US + 50_000), limit=50),
    "pending, count": lambda ask: ask.count_open(),
    "runs, limit": lambda ask: ask.runs(limit=50),
    "runs, status": lambda ask: ask.runs(statuses=["blocked"], limit=50),
    "runs, statuses": lambda ask: ask.runs(statuses=["failed", "cancelled"], limit=50),
    "runs, recipe": lambda ask: ask.runs(recipe="recipe-3", limit=50),
    "runs, status, recipe": lambda ask: ask.runs(statuses=["failed"], recipe="recipe-3", limit=9),
    "events": lambda ask: ask.events("run-00777"),
    "has": lambda ask: ask.has("run-00777", 3),
    "counters": lambda ask: ask.counters(),
    "places": lambda ask: ask.places(),
}
WRITES: dict[str, Callable[[ReadModel], object]] = {
    "take over": lambda model: model.take_over(0),
    "load": lambda model: model.load([RunId(f"run-{number:05}") for number in range(5, 95)]),
    "write": lambda model: model.write(model.take_over(7), Rows(), 1, 0),
}
EVERYTHING: dict[str, Callable[[Questions], object]] = {
    "pending": lambda ask: ask.open_pauses(),
    "runs": lambda ask: ask.runs(),
    "ids": lambda ask: list(ask.run_ids()),
}
"""What asks for all: it may look at all."""


class Noting:
    """A database that notes what it is asked."""

    def __init__(self, database: Database) -> None:
        self.place = database.place
        self.asked: list[tuple[str, Sequence[object]]] = []
        self._database = database

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        self.asked.append((sql, parameters))
        return self._database.rows(sql, parameters)

    def stream(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Any]:
        self.asked.append((sql, parameters))
        return self._database.stream(sql, parameters)

    def change(self, sql: str, parameters: Iterable[Sequence[object]]) -> int:
        given = list(parameters)
        self.asked += [(sql, each) for each in given[:1]]
        return self._database.change(sql, given)

    def flaw(self) -> str | None:
        return self._database.flaw()

    def put(self, table: Any, rows: Sequence[Plain]) -> None:
        self._database.put(table, rows)

    @contextmanager
    def transaction(self) -> Generator[None]:
        with self._database.transaction():
            yield

    def snapshot(self) -> AbstractContextManager[None]:
        return self._database.snapshot()

    def close(self) -> None:
        self._database.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """Two thousand runs of five recipes, a quarter of them at an open gate."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('plans') / 'model.db'}"
    else:
        url = f"{request.getfixturevalue('postgres').url}?schema=plans"
    filled_one = open_read_model(url)
    _fill(filled_one)
    if request.param == "postgresql":
        # as its autovacuum does; SQLite plans without knowing the counts, here as in production
        filled_one.rows("ANALYZE")
    yield filled_one
    filled_one.close()


@pytest.mark.parametrize("name", [*QUESTIONS, *WRITES])
def test_no_large_table_is_looked_through(name: str, database: Database) -> None:
    """Each statement that is sent for it reaches the large tables by an index.

    The planner of PostgreSQL is left free (`enable_seqscan`): that it could use an index proves
    little, that it does with so many rows is what counts.
    """
    noting = Noting(database)
    ask = QUESTIONS.get(name)
    if ask is not None:
        ask(Questions(noting))
    else:
        WRITES[name](ReadModel(noting))

    assert noting.asked
    for sql, parameters in noting.asked:
        assert _looked_through(database, sql, parameters) == [], sql


@pytest.mark.parametrize("name", EVERYTHING)
def test_what_is_all_is_read_once(name: str, database: Database) -> None:
    """A question for everything is one statement, whatever there is."""
    noting = Noting(database)

    EVERYTHING[name](Questions(noting))

    [(sql, parameters)] = noting.asked
    assert set(_looked_through(database, sql, parameters)) <= {"runs", "gates", "events"}


def test_the_longest_waiting_need_no_sorting(database: Database) -> None:
    """`pending` with a limit stops after so many, however many are open."""
    noting = Noting(database)
    Questions(noting).open_pauses(limit=50)
    Questions(noting).open_pauses(recipe="recipe-3", limit=50)
    Questions(noting).runs(limit=50)

    for sql, parameters in noting.asked:
        assert not _sorts(database, sql, parameters), sql


def test_a_run_is_written_by_its_key(database: Database) -> None:
    """Rows of a run that are replaced are found by the primary key, which begins with the run."""
    told = Told(31, count=2)
    model = ReadModel(database)

    filled(model, told.log, piece=5)

    for table in (EVENTS, RUNS, GATES):
        sql = f"SELECT * FROM {table.name} WHERE run_id = ?"
        assert _looked_through(database, sql, ("run-0",)) == []


def test_the_measure_itself(database: Database) -> None:
    """What no index serves is seen to look through the table, and to sort."""
    sql = "SELECT * FROM gates WHERE occurrence = ? ORDER BY pause_kind LIMIT 9"

    assert _looked_through(database, sql, (2,)) == ["gates"]
    assert _sorts(database, sql, (2,))


def _looked_through(database: Database, sql: str, parameters: Sequence[object]) -> list[str]:
    """The large tables that the plan reads from end to end."""
    if database.place.startswith("database"):
        nodes = _nodes(database, sql, parameters)
        found = [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"]
    else:
        plan = database.rows(f"EXPLAIN QUERY PLAN {sql}", parameters)
        words = [detail.split() for *_, detail in plan]
        found = [each[1] for each in words if each[0] == "SCAN" and "INDEX" not in each]
    return [name for name in found if name not in SMALL]


def _sorts(database: Database, sql: str, parameters: Sequence[object]) -> bool:
    if database.place.startswith("database"):
        return any("Sort" in node["Node Type"] for node in _nodes(database, sql, parameters))
    plan = database.rows(f"EXPLAIN QUERY PLAN {sql}", parameters)
    return any("TEMP B-TREE" in detail for *_, detail in plan)


def _nodes(database: Database, sql: str, parameters: Sequence[object]) -> list[dict[str, Any]]:
    [(found,)] = database.rows(f"EXPLAIN (FORMAT JSON) {sql}", parameters)
    held = json.loads(found) if isinstance(found, str | bytes) else found
    left, nodes = [held[0]["Plan"]], list[dict[str, Any]]()
    while left:
        node = left.pop()
        nodes.append(node)
        left += node.get("Plans", [])
    return nodes


def _fill(database: Database) -> None:
    digest, value = bytes(32), b"x" * 400
    runs, gates, events = list[Plain](), list[Plain](), list[Plain]()
    for number in range(RUNS_THERE):
        run_id, recipe = f"run-{number:05}", f"recipe-{number % 5}"
        at, is_open = START_US + number * 1_000, number % OPEN_EVERY == 0
        status = "paused" if is_open else ("completed", "failed", "cancelled")[number % 3]
        status = "blocked" if number % 400 == 399 else status
        events += [(run_id, seq, "StepCompleted", at + seq, value) for seq in range(1, 7)]
        runs.append((run_id, recipe, "1", status, 6, digest, at, at + 6, int(is_open)))
        closed = (None,) * 4 if is_open else ("decision", 4, at + 4, "d-1")
        gate = (run_id, 3, "review", 1, recipe, "1", at + 3, "human", digest, "[]")
        gates.append((*gate, None, None, None, None, None, "pending", *closed))
    with database.transaction():
        for table, rows in ((RUNS, runs), (GATES, gates), (EVENTS, events)):
            database.put(table, rows)
