"""A process in the frame: the first argument names its work, bounds may follow (`stall_s=1`)."""

from __future__ import annotations

import asyncio
import atexit
import logging
import signal
import sys
import threading

from hitl_events.errors import LogUnavailable
from hitl_services.health import Health
from hitl_services.process import Context, Service, serve
from hitl_services.settings import Look, ProcessSettings
from hitl_services.watch import Bounds


async def idle(context: Context) -> None:
    """Ready, until it is told to stop."""
    context.ready_when(lambda: Health(good=True, reason="idle"))
    await context.stop.wait()


async def leaving(context: Context) -> None:
    """Idle, and then slow to end what is left."""
    atexit.register(leave)
    await idle(context)


def leave() -> None:
    """Say so, and wait for a signal."""
    print("leaving at last", file=sys.stderr, flush=True)
    signal.sigtimedwait([], 1)


async def opening(context: Context) -> None:
    """Waits for a broker that does not answer, and then gives up."""
    async with asyncio.timeout(5):
        await asyncio.Event().wait()


async def deaf(context: Context) -> None:
    """Hears no stop, but a cancellation."""
    context.ready_when(lambda: Health(good=True, reason="deaf"))
    await asyncio.Event().wait()


async def clinging(context: Context) -> None:
    """Hears neither."""
    context.ready_when(lambda: Health(good=True, reason="clinging"))
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


async def standing(context: Context) -> None:
    """Never gives the event loop back."""
    threading.Event().wait()


async def threaded(context: Context) -> None:
    """Leaves a thread behind that does not end."""
    threading.Thread(target=threading.Event().wait, name="left").start()


async def unreachable(context: Context) -> None:
    """Has no broker."""
    raise LogUnavailable("expected a broker at nowhere:1, found none; start it")


async def defective(context: Context) -> None:
    """Has a defect, and a token in its hands; a library says something as well."""
    logging.getLogger("aiokafka").warning("cannot reach %s", "hitl_" + "t" * 66)
    token = "hitl_" + "t" * 66
    raise ZeroDivisionError(f"with {token} and {context.settings.token_keys[0].decode()}")


name, *pairs = sys.argv[1:]

WORK = {
    each.__name__: each
    for each in (idle, leaving, opening, deaf, clinging, standing, threaded, unreachable, defective)
}


async def work(context: Context, _: str) -> None:
    """Say that it begins, and begin."""
    print("working", file=sys.stderr, flush=True)
    await WORK[name](context)


def prepare(look: Look, settings: ProcessSettings) -> str:
    """Nothing, or what takes until a signal came."""
    if name == "slow-to-prepare":
        print("preparing", file=sys.stderr, flush=True)
        signal.sigtimedwait([], 1)  # ended by the signal's arrival
    return ""


if __name__ == "__main__":
    bounds = {key: float(text) for key, _, text in (pair.partition("=") for pair in pairs)}
    service = Service(name="hitl-child", options={}, bounds=Bounds(**bounds))
    sys.exit(serve(service, prepare, work))
