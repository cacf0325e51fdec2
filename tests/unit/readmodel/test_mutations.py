"""Random changes of a read model: each is found, with the run and the event that it is about."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.contents import Comparison
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.sqlite import SqliteDatabase, open_sqlite
from hitl_events.domain.values import RunId
from hitl_events.projections.folding import Folding
from hitl_events.projections.tables import TABLES, Table
from hitl_events.testing.histories import history_of
from hitl_events.testing.mixing import chained

MUTATIONS = int(os.environ.get("HITL_MUTATIONS", "200"))
"""1,000 for the long loop."""
_RUNS = 40
_CODEC = AvroCodec()


def _mutated(random: Random, database: SqliteDatabase) -> tuple[Table, str, int] | None:
    """Change one column of a row, remove the row, or tell it of another run."""
    table = random.choice(TABLES)
    keys = ", ".join(table.names[: table.key])
    rows = database.rows(f"SELECT {keys}, seq FROM {table.name} ORDER BY {keys}")
    if not rows:
        return None
    *key, seq = random.choice(rows)
    where = " AND ".join(f"{name} = ?" for name in table.names[: table.key])
    drawn = random.random()
    if drawn < 0.15:
        database.rows(f"DELETE FROM {table.name} WHERE {where}", key)
        return table, key[0], seq
    name, kind = random.choice(table.columns[table.key :])
    other = {"int": f"coalesce({name}, 0) + 1", "text": f"coalesce({name}, '') || 'x'"}
    changed = other.get(kind, f"CAST(coalesce({name}, x'') || x'00' AS BLOB)")
    database.rows(f"UPDATE {table.name} SET {name} = {changed} WHERE {where}", key)
    return table, key[0], seq if name != "seq" else seq + 1


def test_each_change_is_found_and_named(tmp_path: Path) -> None:
    """Whatever row and column it is: the run, the event, and the column or that a row is gone."""
    random = Random(20261127)
    runs = {
        RunId(f"run-{number}"): chained(history_of(random), f"run-{number}", _CODEC)
        for number in range(_RUNS)
    }
    database = open_sqlite(tmp_path / "model.db")
    model = ReadModel(database)
    values = [value for run in runs.values() for value in run]
    folded = Folding(_CODEC, model.load).fold(values)
    model.write(model.take_over(0), folded, len(values), len(values) - 1)

    made = 0
    while made < MUTATIONS:
        database.rows("BEGIN")
        mutation = _mutated(random, database)
        if mutation is not None:
            table, run_id, seq = mutation
            comparison = Comparison(database, _CODEC)
            found = list(comparison.run(RunId(run_id), runs[RunId(run_id)]))
            assert found, mutation
            assert all(each.run_id == run_id for each in found)
            assert seq in {each.seq for each in found} or seq - 1 in {each.seq for each in found}
            assert table.name in found[0].problem
            made += 1
        database.rows("ROLLBACK")
    database.close()
