"""Waiting until the read model shows what was just recorded."""

import asyncio

import pytest

from hitl_events.errors import LogUnavailable
from hitl_events.runtime.progress import Progress
from tests.unit.turns import loop_has_come_round


async def test_who_waits_is_woken_when_it_is_there() -> None:
    """Not by what comes before it, nor by another partition; who comes later waits for nothing."""
    progress = Progress()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        waiting = group.create_task(progress.reached(1, 7))
        for partition, next_offset in ((1, 7), (2, 99)):
            progress.moved(partition, next_offset)
            await loop_has_come_round()
            await loop_has_come_round()
            assert not waiting.done()
        progress.moved(1, 8)

    await progress.reached(1, 7, within_s=0)


async def test_waiting_has_a_bound() -> None:
    """What is folded elsewhere, or by nobody, is an error that says so."""
    progress = Progress()
    progress.moved(1, 8)
    progress.lost(1)

    with pytest.raises(LogUnavailable, match="offset 7 of partition 1"):
        await progress.reached(1, 7, within_s=0)
