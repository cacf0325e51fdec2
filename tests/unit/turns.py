"""The event loop's turns, where nothing of ours tells that it was there."""

import asyncio

_TURN_S_MAX = 20


async def loop_has_come_round() -> None:
    """Whatever the loop had to do when this was called has had its turn."""
    come = asyncio.Event()
    asyncio.get_running_loop().call_soon(come.set)
    async with asyncio.timeout(_TURN_S_MAX):
        await come.wait()
