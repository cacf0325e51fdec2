"""The promises of `EventLog`: all of a batch or nothing, in order, for ever."""

from __future__ import annotations

from hitl_events.errors import ImpossibleHistory, InvalidInput
from hitl_events.ports import EffectBatch
from hitl_events.testing.checks.promise import (
    Make,
    OwnedLog,
    Promise,
    Storage,
    everything,
    keep,
    loaded,
    owner,
    owner_after_restart,
    refuses,
    same,
    stored,
    values,
)
from hitl_events.testing.checks.samples import HUGE_BYTES, Story, many, noise, together


async def check_event_log(make: Make[OwnedLog]) -> None:
    """Everything that an `EventLog` promises its engine."""
    await keep(PROMISES, make)


async def an_empty_log_ends_at_0(storage: Storage[OwnedLog]) -> None:
    """A new log holds nothing and its first offset is 0."""
    log = await storage.open()

    same(await log.end(), 0)
    same(await everything(log), [])


async def events_come_back_as_they_were(storage: Storage[OwnedLog]) -> None:
    """Events are read byte for byte, in the order of their commit, at offsets without gaps."""
    log = await owner(storage)
    story, other = Story(), Story("other")
    written: list[bytes] = []
    for batch in (story.batch(2), other.batch(1), story.batch(3), together(story, other, count=2)):
        await log.append(batch)
        written += stored(batch)

    found = await everything(log)
    same([event.value for event in found], written)
    same([event.offset for event in found], list(range(len(written))))
    same(await log.end(), len(written))


async def reading_starts_anywhere(storage: Storage[OwnedLog]) -> None:
    """Reading from an offset gives what is there and after it; beyond the end, nothing."""
    log = await owner(storage)
    stories = many(40)
    batches = [together(*stories, count=2), together(*stories[:3]), together(*stories, count=3)]
    for batch in batches:
        await log.append(batch)
    written = [value for batch in batches for value in stored(batch)]

    for start in range(len(written) + 2):
        found = await everything(log, start)
        same([event.value for event in found], written[start:], f"events from {start}")
        same([event.offset for event in found], list(range(start, len(written))))


async def a_reading_ends_where_the_log_did(storage: Storage[OwnedLog]) -> None:
    """What is appended after a reading was begun is not in it."""
    log = await owner(storage)
    story = Story()
    await log.append(story.batch(2))

    reading = log.read()
    await log.append(story.batch(2))

    same([event.value async for piece in reading for event in piece], story.values[:2])


async def others_read_what_was_appended(storage: Storage[OwnedLog]) -> None:
    """Once `append` returns, every other process reads it."""
    log, reader = await owner(storage), await storage.open()
    story = Story()

    for _ in range(3):
        await log.append(story.batch(2))
        same(await values(reader), story.values)


async def a_restart_loses_nothing(storage: Storage[OwnedLog]) -> None:
    """All that was appended is there after all processes have ended, and the log goes on."""
    log = await owner(storage)
    story = Story()
    await log.append(story.batch(3))

    for _ in range(2):
        log = await owner_after_restart(storage)
        same(await values(log), story.values)
        await log.append(story.batch(2))

    same(await values(log), story.values)


async def an_empty_batch_is_nothing(storage: Storage[OwnedLog]) -> None:
    """A batch of nothing changes nothing."""
    log = await owner(storage)
    await log.append(Story().batch(2))

    await log.append(EffectBatch())

    same(await log.end(), 2)


async def events_may_be_huge(storage: Storage[OwnedLog]) -> None:
    """An event of 900 KiB is kept, whether it can be compressed or not, among small ones."""
    log = await owner(storage)
    story = Story()
    for output in (b"1", noise(HUGE_BYTES), b"2", b" " * HUGE_BYTES, b"3"):
        await log.append(story.batch(2, output))

    same(await values(log) == story.values, True, "the same bytes")
    same(await loaded(log, story.run_id) == tuple(story.values), True, "the same bytes by key")


async def batches_may_be_large(storage: Storage[OwnedLog]) -> None:
    """A batch of thousands of events is one batch."""
    log = await owner(storage)
    batch = together(*many(1000), count=3)

    await log.append(batch)

    same(await values(log) == stored(batch), True, "the same bytes")


async def a_refused_batch_leaves_nothing(storage: Storage[OwnedLog]) -> None:
    """A batch of which one part cannot be written is not written at all; the next one is."""
    log = await owner(storage)
    story, fresh, stale = Story(), Story("fresh"), Story("stale")
    await log.append(story.batch(2))
    stale.tell(3)

    await refuses(log.append(together(fresh, stale)), ImpossibleHistory)
    same(await values(log), story.values)
    same(await log.load([fresh.run_id, stale.run_id]), {})

    await log.append(story.batch(1))
    same(await values(log), story.values)


async def a_doubled_batch_is_refused(storage: Storage[OwnedLog]) -> None:
    """A batch that is appended again changes nothing: each run goes on from its head."""
    log = await owner(storage)
    story = Story()
    for count in (2, 1):
        batch = story.batch(count)
        await log.append(batch)
        await refuses(log.append(batch), ImpossibleHistory)

    same(await values(log), story.values)


async def every_run_has_a_position(storage: Storage[OwnedLog]) -> None:
    """A batch with events of a run must say where that run stands then."""
    log = await owner(storage)

    await refuses(log.append(EffectBatch(events=Story().tell(2))), InvalidInput)

    same(await log.end(), 0)


PROMISES: tuple[Promise[OwnedLog], ...] = (
    an_empty_log_ends_at_0,
    events_come_back_as_they_were,
    reading_starts_anywhere,
    a_reading_ends_where_the_log_did,
    others_read_what_was_appended,
    a_restart_loses_nothing,
    an_empty_batch_is_nothing,
    events_may_be_huge,
    batches_may_be_large,
    a_refused_batch_leaves_nothing,
    a_doubled_batch_is_refused,
    every_run_has_a_position,
)
