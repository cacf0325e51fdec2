"""Laws of restore: whatever a partition's owner went through, its state is that of the events."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import given, settings, strategies as st

from hitl_events.adapters.kafka import checkpoints, tail
from hitl_events.adapters.kafka.restore import rebuild, restore
from hitl_events.adapters.kafka.states import StateFile
from hitl_events.domain.values import RunId
from hitl_events.ports import Appended, RunPosition
from hitl_events.testing.histories import history_of
from tests.unit.adapters.committed import CODEC, IDENTITY, OWNED, CommittedLog, Owner, Telling

Found = dict[RunId, tuple[RunPosition, tuple[bytes, ...]]]


async def _found(states: StateFile) -> Found:
    """Position and record values of every run, in the order of the file."""
    positions = [position async for piece in states.positions() for position in piece]
    values = await states.load([position.run_id for position in positions])
    return {position.run_id: (position, values[position.run_id]) for position in positions}


def _same(found: Found, live: Found, told: dict[RunId, RunPosition]) -> None:
    """Equal in all, but that a run may be taken up in vain."""
    assert list(found) == list(live)
    assert found.keys() == told.keys()
    for run_id, (position, values) in found.items():
        expected = told[run_id]
        assert values == live[run_id][1]
        assert position.busy >= expected.busy
        assert replace(position, busy=expected.busy) == expected


def _batch(random: Random, tellings: Sequence[Telling]) -> tuple[list[Appended], list[RunPosition]]:
    some = random.sample(tellings, random.randint(1, len(tellings)))
    events = [appended for telling in some for appended in telling.tell(random.randint(1, 3))]
    return events, [telling.position() for telling in some]


async def _live(random: Random, tellings: list[Telling], log: CommittedLog, path: Path) -> Found:
    owner = Owner(log, path / "0.state")
    await owner.take_over()
    while waiting := [telling for telling in tellings if not telling.over]:
        dies = random.random() < 0.2
        if random.random() < 0.7:
            owner.commit(*_batch(random, waiting), dies=dies)
        else:
            owner.rest(2.0 * len(log.records[OWNED.events]), dies=dies)
        if random.random() < 0.2:
            log.compact(random)
        if dies or random.random() < 0.1:
            owner.die()
            elsewhere = path / f"{random.randrange(3)}.state"
            owner = Owner(log, elsewhere)
            await owner.take_over()
    found = await _found(owner.states)
    owner.die()
    return found


async def _all_ways(random: Random) -> None:
    log = CommittedLog()
    tellings = [
        Telling(f"run-{number}", history_of(random, ended=random.random() < 0.5))
        for number in range(random.randint(1, 6))
    ]
    with TemporaryDirectory() as name:
        path = Path(name)
        live = await _live(random, tellings, log, path)
        told = {telling.run_id: telling.position() for telling in tellings}
        _same(live, live, told)

        other = StateFile.open(path / "other.state", IDENTITY, CODEC)
        assert (await restore(other, log, OWNED, CODEC)).base == "checkpoints"
        _same(await _found(other), live, told)
        assert (await restore(other, log, OWNED, CODEC)).base == "file"
        _same(await _found(other), live, told)
        await rebuild(other, log, OWNED, CODEC)
        _same(await _found(other), live, told)
        other.close()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_way_of_restoring_gives_the_same_state(seed: int) -> None:
    """File, checkpoints and all events agree, after crashes, moves and compaction (P8)."""
    small = patch.multiple(checkpoints, EVENTS_BETWEEN=6, RUNS_MIN=1, RUNS_MAX=2, CHUNK_BYTES=700)

    with small, patch.object(tail, "PIECE_EVENTS", 4):
        asyncio.run(_all_ways(Random(seed)))
