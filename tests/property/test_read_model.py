"""The read model is a function of the runs' events: what else differs leaves no trace in it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings, strategies as st

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.readmodel.contents import Comparison, digest_of
from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.adapters.readmodel.sqlite import open_sqlite
from hitl_events.domain.values import RunId
from hitl_events.ports import StoredEvent
from hitl_events.runtime.projector import Projector
from hitl_events.testing.histories import history_of
from hitl_events.testing.mixing import chained, mixed

HISTORIES = int(os.environ.get("HITL_READMODEL_HISTORIES", "2000"))
"""100,000 for the long loop."""
_RUNS = 5
_CODEC = AvroCodec()


class _Partition:
    """What is there so far; a reader gets it in pieces of any size."""

    def __init__(self, values: Sequence[bytes], random: Random) -> None:
        self.values = values
        self.end = 0
        self._random = random

    async def read(self, start: int = 0) -> AsyncIterator[Sequence[StoredEvent]]:
        """As the port says."""
        while start < self.end:
            stop = min(self.end, start + self._random.randint(1, 7))
            yield [StoredEvent(offset=at, value=self.values[at]) for at in range(start, stop)]
            start = stop


@pytest.mark.timeout(300 + HISTORIES // 5)
@settings(max_examples=max(1, HISTORIES // _RUNS), deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_only_the_events_of_each_run_count(random: Random) -> None:
    """One digest for any mixture, partitions, piece sizes, and after any crash between pieces."""
    runs = [chained(history_of(random), f"run-{number}", _CODEC) for number in range(_RUNS)]
    with TemporaryDirectory() as name:
        plain, other = Path(name) / "plain.db", Path(name) / "other.db"
        straight = _Partition([value for run in runs for value in run], random)
        expected = asyncio.run(_folded(plain, [straight], Random(1), crashes=False))

        logs = [_Partition(values, random) for values in mixed(runs, random, 3)]
        assert asyncio.run(_folded(other, logs, random, crashes=True)) == expected

        with closing(ReadModel(open_sqlite(other))) as model:
            comparison = Comparison(model.database, _CODEC)
            names = [RunId(f"run-{number}") for number in range(_RUNS)]
            for run_id, values in zip(names, runs, strict=True):
                assert list(comparison.run(run_id, values)) == []
            assert list(comparison.finish(names)) == []


async def _folded(
    path: Path, logs: Sequence[_Partition], random: Random, *, crashes: bool
) -> bytes:
    """The digest after all of the partitions came in, piece by piece."""
    with ExitStack() as stack:
        model = stack.enter_context(closing(ReadModel(open_sqlite(path))))
        projectors: dict[int, Projector] = {}
        while open_ := [number for number, log in enumerate(logs) if log.end < len(log.values)]:
            if crashes and random.random() < 0.2:
                stack.close()
                model = stack.enter_context(closing(ReadModel(open_sqlite(path))))
                projectors = {}
            number = random.choice(open_)
            log = logs[number]
            log.end = min(len(log.values), log.end + random.randint(1, 20))
            if number not in projectors:
                projectors[number] = Projector(
                    log, model, _CODEC, partition=number, piece_events=random.randint(1, 9)
                )
            await projectors[number].catch_up()
        return digest_of(model.database)
