"""What a check is: small promises, each kept by a fresh storage. An adapter's author starts here.

A storage is made per promise, by an async context manager:

    @asynccontextmanager
    async def make() -> AsyncIterator[Storage[MyLog]]:
        with TemporaryDirectory() as path:
            yield MyStorage(path)

    async def test_event_log() -> None:
        await check_event_log(make)

The promises of a check stand in its module's `PROMISES`, for those who want one test for each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias, TypeVar

from hitl_events.domain.values import RunId
from hitl_events.errors import HitlError
from hitl_events.ports import DeadLetters, EffectBatch, EventLog, Intake, RunStates, StoredEvent

_SHOWN_CHARS = 400


class BrokenPromise(AssertionError):
    """An adapter does not keep what its port promises; the message says which promise, and how."""


class OwnedLog(EventLog, RunStates, Protocol):
    """The log of one partition with its keyed reads, and the ownership of it."""

    def try_own(self) -> bool:
        """Become the owner unless another is."""
        ...

    def release(self) -> None:
        """Let others own it."""
        ...

    def changed(self) -> bool:
        """Whether another opening has written since the last call, or since this one was made."""
        ...


class OwnedIntake(OwnedLog, Intake, Protocol):
    """The same with its intake."""


class OwnedDeadLetters(OwnedLog, DeadLetters, Protocol):
    """The same with its dead letters."""


L = TypeVar("L", bound=OwnedLog)
_L_co = TypeVar("_L_co", bound=OwnedLog, covariant=True)


class Storage(Protocol[_L_co]):
    """One storage under test and the processes that have it open."""

    async def open(self) -> _L_co:
        """Another opening, as by another process; those before stay open. It owns nothing."""
        ...

    async def usurp(self) -> _L_co:
        """An opening that owns the log although the owner before lives on and was not told."""
        ...

    async def restart(self) -> _L_co:
        """End all openings, then open it anew: what a process finds that starts now."""
        ...


Make: TypeAlias = Callable[[], AbstractAsyncContextManager[Storage[L]]]
Promise: TypeAlias = Callable[[Storage[L]], Awaitable[None]]


async def keep(promises: Iterable[Promise[L]], make: Make[L]) -> None:
    """Hold a storage each to the promises; the first that it breaks ends it."""
    for promise in promises:
        async with make() as storage:
            await keeps(promise, storage)


async def keeps(promise: Promise[L], storage: Storage[L]) -> None:
    """Hold one storage to one promise."""
    try:
        await promise(storage)
    except BrokenPromise as broken:
        raise BrokenPromise(f"{stated(promise)}\n{broken}") from None
    except HitlError as error:
        found = f"expected no error, found {type(error).__name__}: {error}"
        raise BrokenPromise(f"{stated(promise)}\n{found}") from error


def same(found: object, expected: object, what: str = "") -> None:
    """They are equal, or the promise is broken."""
    if found != expected:
        about = f" as {what}" if what else ""
        raise BrokenPromise(f"expected{about} {_short(expected)}, found {_short(found)}")


async def refuses(doing: Awaitable[object], error: type[HitlError]) -> None:
    """It ends with this error, or the promise is broken."""
    try:
        await doing
    except error:
        return
    raise BrokenPromise(f"expected {error.__name__}, found that it was accepted")


async def owner(storage: Storage[L]) -> L:
    """An opening that owns the log."""
    log = await storage.open()
    same(log.try_own(), True, "a free log to own")
    return log


async def owner_after_restart(storage: Storage[L]) -> L:
    """An opening that owns the log after all others have ended."""
    log = await storage.restart()
    same(log.try_own(), True, "a log to own after a restart")
    return log


async def everything(log: EventLog, start: int = 0) -> list[StoredEvent]:
    """All events from an offset on."""
    return [event async for piece in log.read(start) for event in piece]


async def values(log: EventLog, start: int = 0) -> list[bytes]:
    """The stored bytes of all events from an offset on."""
    return [event.value for event in await everything(log, start)]


async def loaded(log: RunStates, run_id: RunId) -> tuple[bytes, ...] | None:
    """The stored bytes of one run."""
    return (await log.load([run_id])).get(run_id)


def stored(batch: EffectBatch) -> list[bytes]:
    """The bytes of a batch's events."""
    return [each.value for each in batch.events]


def stated(promise: object) -> str:
    """What it promises, in its own words."""
    return " ".join((promise.__doc__ or "").split())


def _short(value: object) -> str:
    text = repr(value)
    if len(text) <= _SHOWN_CHARS:
        return text
    half = _SHOWN_CHARS // 2
    return f"{text[:half]} ... {text[-half:]} ({len(text)} characters)"
