"""P8 on one machine: live after kill -9, built anew, and imported at a desk are the same bytes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from random import Random

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.contents import digest_of
from hitl_events.adapters.readmodel.reader import Questions
from hitl_events.adapters.readmodel.sqlite import open_sqlite
from hitl_events.adapters.readmodel.sqlite_target import SqliteTarget
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.domain.values import RunId
from hitl_events.engine.active import ActiveRun
from hitl_events.ports import Appended, EffectBatch
from hitl_events.readmodel.rebuilding import rebuild
from hitl_events.testing.histories import history_of
from hitl_events.testing.mixing import chained
from tests.acceptance.console import Console

KILLS = int(os.environ.get("HITL_PROJECTOR_KILLS", "5"))
"""50, with HITL_PROJECTOR_RUNS=10000, for the long loop."""
RUNS = int(os.environ.get("HITL_PROJECTOR_RUNS", "300"))
_CODEC = AvroCodec()
_FOLLOW = """
import asyncio, sys
from pathlib import Path
from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.files import folding
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.sqlite import open_sqlite
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.runtime.projector import Projector
log, path = SqliteLog.open_for_reading(sys.argv[1]), Path(sys.argv[1]) / "read-model.db"
with folding(path):
    model = ReadModel(open_sqlite(path))
    projector = Projector(log, model, AvroCodec(), piece_events=7)
    print("ready", flush=True)
    while True:
        asyncio.run(projector.catch_up(lambda folded: print(folded, flush=True)))
"""


def _batch(active: ActiveRun, values: list[bytes]) -> EffectBatch:
    active.restore(values, _CODEC)
    events = [Appended(event=_CODEC.decode(value), value=value) for value in values]
    return EffectBatch(events=events, positions=[active.position()])


def test_kills_leave_no_trace(tmp_path: Path) -> None:
    """Mixed recipes, refused, expired, cancelled, blocked; the log grows while its reader dies."""
    random = Random(8)
    console = Console(tmp_path)
    runs = [chained(history_of(random), f"run-{number}", _CODEC) for number in range(RUNS)]
    log = SqliteLog.open(console.data)
    assert log.try_own()
    for share in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-c", _FOLLOW, str(console.data)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        for number, values in enumerate(runs[share::KILLS]):
            active = ActiveRun(RunId(f"run-{share + number * KILLS}"))
            asyncio.run(log.append(_batch(active, values)))
        for _ in range(random.randint(1, 5)):
            child.stdout.readline()
        child.kill()
        child.wait()
        child.stdout.close()
    log.close()

    assert console.hitl("verify").code == 0
    live, found = _told(console.data)
    asyncio.run(_rebuilt(console.data))
    console.hitl("export", "-o", "all.jsonl")
    console.hitl("import", "all.jsonl", "--dir", str(tmp_path / "desk"))
    asyncio.run(_rebuilt(tmp_path / "desk"))

    assert _told(console.data)[0] == live
    assert _told(tmp_path / "desk")[0] == live
    assert found["events", "RunStarted"] == RUNS
    rare = ("DecisionRejected", "GateClosed", "RunBlocked", "RunCancelled", "RunFailed")
    assert all(found["events", kind] > 0 for kind in rare), found


def _told(data: Path) -> tuple[bytes, dict[tuple[str, str], int]]:
    database = open_sqlite(data / "read-model.db")
    try:
        return digest_of(database), Questions(database).counters()
    finally:
        database.close()


async def _rebuilt(data: Path) -> None:
    log = SqliteLog.open_for_reading(data)
    try:
        await rebuild({0: log}, SqliteTarget(data / "read-model.db"), lambda _: None)
    finally:
        log.close()
