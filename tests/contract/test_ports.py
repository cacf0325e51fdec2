"""Every adapter keeps every promise of its ports: one test for each, named after the promise."""

from collections.abc import Iterable
from typing import Any

import pytest

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.system import SystemClock
from hitl_events.testing import check_clock, check_codec
from hitl_events.testing.checks import dead_letters, event_log, intake, owner, run_states
from hitl_events.testing.checks.promise import Promise, keeps
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


async def test_the_clock_of_the_system_keeps_its_promises() -> None:
    """What `Clock` promises holds for the machine's clock."""
    await check_clock(SystemClock)


async def test_the_avro_codec_keeps_its_promises() -> None:
    """What `Codec` promises holds for the Avro codec."""
    await check_codec(AvroCodec)
