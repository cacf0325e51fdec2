"""The promises of `DeadLetters`: kept whole, numbered, and forgotten only when told to."""

from __future__ import annotations

from dataclasses import replace

from hitl_events.domain.events import Source
from hitl_events.errors import ImpossibleHistory
from hitl_events.ports import DeadLetter, EffectBatch
from hitl_events.testing.checks.promise import (
    Make,
    OwnedDeadLetters,
    Promise,
    Storage,
    keep,
    owner,
    owner_after_restart,
    refuses,
    same,
)
from hitl_events.testing.checks.samples import Story, letter

_SOURCE = Source(topic="intake", partition=0, offset=7, timestamp_ms=1_767_225_600_123)


async def check_dead_letters(make: Make[OwnedDeadLetters]) -> None:
    """Everything that `DeadLetters` promises those who look after them."""
    await keep(PROMISES, make)


async def they_are_kept_whole(storage: Storage[OwnedDeadLetters]) -> None:
    """A dead letter comes back as it was: key and value byte for byte, with or without a source."""
    log = await owner(storage)
    letters = [
        letter(),
        letter(b"", _SOURCE),
        replace(letter(b"x" * 256 * 1024), key=None, headers=()),
    ]
    await log.append(EffectBatch(dead_letters=letters))

    same([each for _, each in await log.list(10)], letters[::-1])


async def the_newest_come_first(storage: Storage[OwnedDeadLetters]) -> None:
    """They are listed newest first, as many as asked for, under numbers that grow."""
    log = await owner(storage)
    for number in range(5):
        await log.append(EffectBatch(dead_letters=[letter(str(number).encode())]))

    same([each.value for _, each in await log.list(2)], [b"4", b"3"])
    numbers = [number for number, _ in await log.list(10)]
    same(numbers, sorted(set(numbers), reverse=True), "numbers that grow")


async def one_is_discarded(storage: Storage[OwnedDeadLetters]) -> None:
    """Discarding forgets the one of that number, once; its number is never given again."""
    log = await owner(storage)
    await log.append(EffectBatch(dead_letters=[letter(b"0"), letter(b"1"), letter(b"2")]))
    numbers = [number for number, _ in await log.list(10)]

    same([await log.discard(numbers[0]), await log.discard(numbers[0])], [True, False])
    same(await log.discard(numbers[0] + 1000), False)
    same([each.value for _, each in await log.list(10)], [b"1", b"0"])
    await log.append(EffectBatch(dead_letters=[letter(b"3")]))
    newest, _ = (await log.list(1))[0]
    same(newest > numbers[0], True, "a number that was never given before")


async def they_need_their_batch(storage: Storage[OwnedDeadLetters]) -> None:
    """A batch that is not written leaves no dead letter."""
    log, story = await owner(storage), Story()
    story.tell(2)

    await refuses(log.append(replace(story.batch(), dead_letters=[letter()])), ImpossibleHistory)

    same(await log.list(10), [])


async def a_restart_keeps_them(storage: Storage[OwnedDeadLetters]) -> None:
    """They are there after all processes have ended, under the same numbers."""
    log = await owner(storage)
    await log.append(EffectBatch(dead_letters=[letter(), letter(b"1", _SOURCE)]))
    before = await log.list(10)

    log = await owner_after_restart(storage)

    same(await log.list(10), before)


async def no_text_stops_one(storage: Storage[OwnedDeadLetters]) -> None:
    """A message that is not valid Unicode (JSON can carry it) does not stop the batch."""
    log = await owner(storage)
    odd: DeadLetter = replace(letter(), message="unknown field \ud800")

    await log.append(EffectBatch(dead_letters=[odd]))

    same([each.value for _, each in await log.list(1)], [odd.value])


PROMISES: tuple[Promise[OwnedDeadLetters], ...] = (
    they_are_kept_whole,
    the_newest_come_first,
    one_is_discarded,
    they_need_their_batch,
    a_restart_keeps_them,
    no_text_stops_one,
)
