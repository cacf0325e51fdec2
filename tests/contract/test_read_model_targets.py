"""A read model is exchanged for a new one as a whole, in a file and in a schema alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.contents import digest_of
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.opening import target_of
from hitl_events.adapters.readmodel.targets import Target
from hitl_events.errors import Fenced, LogUnavailable
from hitl_events.ports import StoredEvent
from hitl_events.readmodel.rebuilding import rebuild
from hitl_events.runtime.projector import Projector
from hitl_events.testing.histories import history_of
from hitl_events.testing.mixing import chained

CODEC = AvroCodec()


class Log:
    """Events of some runs, as far as they are there; may break off."""

    def __init__(self, runs: int) -> None:
        random = Random(5)
        self.values = [
            value
            for number in range(runs)
            for value in chained(history_of(random), f"run-{number}", CODEC)
        ]
        self.end = len(self.values)
        self.read_from: list[int] = []

    async def read(self, start: int = 0) -> AsyncIterator[Sequence[StoredEvent]]:
        """As the port says."""
        self.read_from.append(start)
        if start < self.end:
            yield [StoredEvent(offset=at, value=self.values[at]) for at in range(start, self.end)]


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """A place where no read model is yet."""
    if request.param == "sqlite":
        return target_of(f"sqlite:///{tmp_path / 'model.db'}")
    return target_of(request.getfixturevalue("postgres_url"))


def _digest(target: Target) -> bytes:
    with closing(target.open()) as database:
        return digest_of(database)


async def test_who_wrote_the_old_one_is_fenced(target: Target) -> None:
    """Not a row of it comes into the new one; taken over anew it goes on, and all is the same."""
    log = Log(4)
    log.end //= 2
    with closing(target.open()) as stale:
        writer = Projector(log, ReadModel(stale), CODEC)
        await writer.catch_up()
        log.end = len(log.values) - 1
        await rebuild({0: log}, target, lambda _: None)
        rebuilt = _digest(target)
        log.end += 1
        with pytest.raises(Fenced):
            await writer.catch_up()
    assert _digest(target) == rebuilt
    with closing(target.open()) as database:
        await Projector(log, ReadModel(database), CODEC).catch_up()
        kept = digest_of(database)
    await rebuild({0: log}, target, lambda _: None)
    assert _digest(target) == kept


async def test_a_rebuild_goes_on_from_what_there_is(target: Target) -> None:
    """What a killed one had written is not read again; of another log all of it is."""
    log = Log(3)
    log.end //= 2
    half = log.end
    with target.rebuilding() as building, closing(building.open()) as database:
        await Projector(log, ReadModel(database), CODEC).catch_up()
    log.end = len(log.values)
    log.read_from.clear()
    await rebuild({0: log}, target, lambda _: None)
    assert log.read_from[:2] == [half - 1, half]

    with target.rebuilding() as building, closing(building.open()) as database:
        await Projector(log, ReadModel(database), CODEC).catch_up()
    fresh = Log(1)
    fresh.values = chained(history_of(Random(9)), "another", CODEC)
    fresh.end = len(fresh.values)
    await rebuild({0: fresh}, target, lambda _: None)
    with closing(target.open()) as database:
        assert {row[0] for row in database.rows("SELECT run_id FROM runs")} == {"another"}


async def test_one_rebuilds_at_a_time(target: Target) -> None:
    """The second is told so at once."""
    with target.rebuilding(), pytest.raises(LogUnavailable, match="another process that does it"):
        await rebuild({0: Log(1)}, target, lambda _: None)
