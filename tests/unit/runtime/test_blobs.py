"""Large data beside the log: stored before its event, and missed by its own run alone."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from hitl_events import Run, recipe
from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.memory import MemoryBlobs
from hitl_events.domain.references import Reference, reference_of, reference_to
from hitl_events.domain.values import RunId
from hitl_events.errors import LogUnavailable
from tests.unit.runtime.conftest import Place
from tests.unit.runtime.played import Counting

SIZE = 2000
LIMIT = 1024


def write(size: int) -> str:
    return "x" * size


@recipe("letter", version="1")
async def letter(run: Run, input: int) -> Any:
    draft = await run.step(write, input)
    await run.gate("g", draft=draft)
    return await run.step(write, len(draft) + 1)


class Failing(MemoryBlobs):
    """A store that can not be written for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 2

    async def put(self, reference: Reference, data: bytes) -> None:
        if self.failures:
            self.failures -= 1
            raise LogUnavailable("expected room, found that the disk is full")
        await super().put(reference, data)


async def test_an_event_refers_to_a_blob_that_is_there_before_it(place: Place) -> None:
    """When the log gets a reference, the blob can be read already."""
    blobs = MemoryBlobs()
    seen: list[tuple[Reference, bool]] = []

    class Log(Counting):
        async def append(self, batch: Any) -> None:
            for value in (each.value for each in batch.events):
                reference = reference_of(AvroCodec().decode(value))
                if reference is not None:
                    seen.append((reference, reference.digest in blobs.held))
            await super().append(batch)

    async with place.open(
        letter, log=Log(place.log()), blobs=blobs, inline_bytes_max=LIMIT
    ) as runtime:
        paused = await runtime.run("letter", SIZE)
        ended = await runtime.decide(paused.token or "", "approve")

    assert ended.artefact["result"] == "x" * (SIZE + 1)
    assert len(seen) == 4
    assert all(there for _, there in seen)
    assert {reference.digest for reference, _ in seen} == blobs.held.keys()


async def test_outcomes_do_not_tell_where_data_was_kept(place: Place, tmp_path: Path) -> None:
    """Inline or by reference: state, artefact and trace are the same, live and read again."""
    told: list[Any] = []
    for number, limit in enumerate((LIMIT, 100_000)):
        other = Place("sqlite", tmp_path / str(number))
        async with other.open(letter, inline_bytes_max=limit) as runtime:
            paused = await runtime.run("letter", SIZE, run_id="a")
            ended = await runtime.decide(paused.token or "", "approve", decision_id="d")
        async with other.open(letter, inline_bytes_max=limit) as runtime:
            read = await runtime.outcome("a")
        assert read.to_json() == ended.to_json()
        told.append([paused.to_json()["artefact"], ended.to_json()["artefact"]])

    assert told[0] == told[1]
    assert place is not None


async def test_the_limit_is_that_of_a_blob(place: Place) -> None:
    """Small data stays in the log: no file for each output."""
    blobs = MemoryBlobs()

    async with place.open(letter, blobs=blobs) as runtime:
        paused = await runtime.run("letter", SIZE)

    assert paused.status == "paused"
    assert blobs.held == {}


async def test_a_store_that_can_not_be_written_loses_no_run(place: Place) -> None:
    """Who asked hears a typed error; the run goes on by itself once there is room."""
    blobs = Failing()
    async with place.open(letter, blobs=blobs, inline_bytes_max=LIMIT) as runtime:
        with pytest.raises(LogUnavailable, match="disk is full"):
            await runtime.run("letter", SIZE, run_id="a")

        await place.until_status(runtime, "a", "paused")
        outcome = await runtime.outcome("a")

    assert outcome.artefact["gates"]["g"]["draft"] == "x" * SIZE


async def test_a_full_disk_of_the_data_directory_loses_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As above, with files, and nothing of the failed batch in the log."""
    place = Place("sqlite", tmp_path / "data")
    async with place.open(letter, inline_bytes_max=LIMIT) as runtime:
        with monkeypatch.context() as full:
            full.setattr(os, "fsync", _no_room)
            with pytest.raises(LogUnavailable, match="make room"):
                await runtime.run("letter", SIZE, run_id="a")
        await place.until_status(runtime, "a", "paused")

    assert list((tmp_path / "data" / "blobs").rglob("*.new")) == []


def _no_room(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("damage", ["missing", "changed"])
async def test_a_blob_that_is_gone_blocks_its_run_alone(place: Place, damage: str) -> None:
    """The decision counts, nothing is guessed, and the neighbour goes on."""
    blobs = MemoryBlobs()
    async with place.open(letter, blobs=blobs, inline_bytes_max=LIMIT) as runtime:
        paused = await runtime.run("letter", SIZE, run_id="a")
        other = await runtime.run("letter", SIZE + 5, run_id="b")
    wanted = reference_to(b'"%s"' % (b"x" * SIZE))
    _damage(blobs, wanted, damage)

    async with place.open(letter, blobs=blobs, inline_bytes_max=LIMIT) as runtime:
        stopped = await runtime.decide(paused.token or "", "approve", decided_by="Ada")
        neighbour = await runtime.decide(other.token or "", "approve")

    (diagnostic,) = [each for each in stopped.diagnostics if each.code == "blob.missing"]
    assert wanted.digest.hex() in diagnostic.message
    assert "of event 2 of run a" in diagnostic.message
    assert stopped.artefact["gates"]["g"]["decision"]["decided_by"] == "Ada"
    assert stopped.artefact["steps"]["write"] == wanted.to_json()
    assert neighbour.status == "ok"


@pytest.mark.parametrize("by_hand", [True, False], ids=["unblock", "restart"])
async def test_a_run_goes_on_once_its_blob_is_back(place: Place, *, by_hand: bool) -> None:
    """The same code, the same history: as if it had never been away."""
    blobs = MemoryBlobs()
    async with place.open(letter, blobs=blobs, inline_bytes_max=LIMIT) as runtime:
        paused = await runtime.run("letter", SIZE, run_id="a")
    kept = dict(blobs.held)
    blobs.held.clear()
    async with place.open(letter, blobs=blobs, inline_bytes_max=LIMIT) as runtime:
        await runtime.decide(paused.token or "", "approve")
        tried = await runtime.unblock("a")
        if by_hand:
            blobs.held.update(kept)
            await runtime.unblock("a")
            await place.until_status(runtime, "a", "ok")

    blobs.held.update(kept)
    async with place.open(letter, blobs=blobs, inline_bytes_max=LIMIT) as runtime:
        await place.until_status(runtime, "a", "ok")
        ended = await runtime.outcome("a")
        events = [type(event).__name__ for event in await runtime.history(RunId("a"))]

    assert tried.status == "error"
    assert ended.artefact["result"] == "x" * (SIZE + 1)
    assert events.count("RunBlocked") == 1


def _damage(blobs: MemoryBlobs, wanted: Reference, damage: str) -> None:
    if damage == "missing":
        del blobs.held[wanted.digest]
    else:
        blobs.held[wanted.digest] = b'"%s"' % (b"y" * SIZE)
