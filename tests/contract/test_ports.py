"""Every adapter keeps every promise of its ports: one test for each, named after the promise."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.blobs import FileBlobs
from hitl_events.adapters.memory import MemoryBlobs
from hitl_events.adapters.system import SystemClock
from hitl_events.testing import check_blobs, check_clock, check_codec
from hitl_events.testing.checks import dead_letters, event_log, intake, owner, run_states
from hitl_events.testing.checks.promise import Promise, keeps
from tests.contract.states import StateLog, state_file
from tests.contract.storages import MAKES

MODULES = (event_log, owner, run_states, intake, dead_letters)
PROMISES: tuple[Promise[Any], ...] = tuple(
    promise for module in MODULES for promise in module.PROMISES
)


def _named(promises: Iterable[Promise[Any]]) -> list[str]:
    return [getattr(promise, "__name__", "promise") for promise in promises]


@pytest.mark.parametrize("adapter", MAKES)
@pytest.mark.parametrize("promise", PROMISES, ids=_named(PROMISES))
async def test_adapter_keeps_its_promise(adapter: str, promise: Promise[Any]) -> None:
    """The promise holds for the adapter."""
    async with MAKES[adapter]() as storage:
        await keeps(promise, storage)


@pytest.mark.parametrize("promise", run_states.PROMISES, ids=_named(run_states.PROMISES))
async def test_a_state_file_keeps_its_promise(promise: Promise[StateLog]) -> None:
    """What `RunStates` promises holds for the state file of a Kafka partition."""
    async with state_file() as storage:
        await keeps(promise, storage)


async def test_the_clock_of_the_system_keeps_its_promises() -> None:
    """What `Clock` promises holds for the machine's clock."""
    await check_clock(SystemClock)


async def test_the_avro_codec_keeps_its_promises() -> None:
    """What `Codec` promises holds for the Avro codec."""
    await check_codec(AvroCodec)


async def test_blobs_in_files_keep_their_promises(tmp_path: Path) -> None:
    """What `Blobs` promises holds for a folder, also for who opens it anew."""
    await check_blobs(lambda: FileBlobs(tmp_path / "blobs"))


async def test_blobs_in_memory_keep_their_promises() -> None:
    """What `Blobs` promises holds for those of a process."""
    blobs = MemoryBlobs()

    await check_blobs(lambda: blobs)
