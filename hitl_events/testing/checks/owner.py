"""The promises of the ownership: one owner at a time, and a stale one appends nothing."""

from __future__ import annotations

from hitl_events.errors import Fenced
from hitl_events.testing.checks.promise import (
    Make,
    OwnedLog,
    Promise,
    Storage,
    keep,
    owner,
    owner_after_restart,
    refuses,
    same,
    values,
)
from hitl_events.testing.checks.samples import Story


async def check_owner(make: Make[OwnedLog]) -> None:
    """Everything that the ownership of a log promises."""
    await keep(PROMISES, make)


async def there_is_one_owner(storage: Storage[OwnedLog]) -> None:
    """While one process owns the log, no other can; when it gives it back, one other can."""
    first, second, third = [await storage.open() for _ in range(3)]

    same([first.try_own(), second.try_own(), third.try_own()], [True, False, False])
    first.release()
    same([second.try_own(), third.try_own(), first.try_own()], [True, False, False])


async def asking_twice_is_harmless(storage: Storage[OwnedLog]) -> None:
    """To own what one owns and to give back what one has not got changes nothing."""
    log, other = await owner(storage), await storage.open()
    story = Story()
    await log.append(story.batch())

    other.release()
    same([log.try_own(), other.try_own()], [True, False])
    await log.append(story.batch())
    log.release()
    log.release()

    same(other.try_own(), True)


async def only_the_owner_appends(storage: Storage[OwnedLog]) -> None:
    """Who never owned the log, or has given it back, appends nothing."""
    log, story = await storage.open(), Story()
    await refuses(log.append(Story("early").batch()), Fenced)
    log.try_own()
    await log.append(story.batch())
    log.release()

    await refuses(log.append(Story("late").batch()), Fenced)

    same(await values(log), story.values)


async def a_stale_owner_appends_nothing(storage: Storage[OwnedLog]) -> None:
    """An owner that was replaced without knowing it is fenced; the new one is not."""
    stale, story = await owner(storage), Story()
    await stale.append(story.batch())

    fresh = await storage.usurp()
    await refuses(stale.append(Story("stale").batch()), Fenced)
    await fresh.append(story.batch())
    await refuses(stale.append(Story("stale").batch()), Fenced)

    same(await values(fresh), story.values)
    same(stale.try_own(), False)


async def a_fenced_owner_can_come_back(storage: Storage[OwnedLog]) -> None:
    """Who was fenced may own the log again once it is free."""
    stale, story = await owner(storage), Story()
    fresh = await storage.usurp()
    await refuses(stale.append(Story("stale").batch()), Fenced)
    fresh.release()

    same(stale.try_own(), True)
    await stale.append(story.batch())
    same(await values(stale), story.values)


async def the_dead_own_nothing(storage: Storage[OwnedLog]) -> None:
    """The ownership ends with its process."""
    await owner(storage)

    await owner_after_restart(storage)


async def others_are_noticed(storage: Storage[OwnedLog]) -> None:
    """`changed` is true once after others wrote, and not for what one wrote oneself."""
    log, other = await owner(storage), await storage.open()
    log.changed()
    other.changed()
    story = Story()

    same([log.changed(), other.changed()], [False, False])
    await log.append(story.batch())
    same([log.changed(), other.changed(), other.changed()], [False, True, False])
    await log.append(story.batch())
    await log.append(story.batch())
    same([other.changed(), other.changed()], [True, False])


PROMISES: tuple[Promise[OwnedLog], ...] = (
    there_is_one_owner,
    asking_twice_is_harmless,
    only_the_owner_appends,
    a_stale_owner_appends_nothing,
    a_fenced_owner_can_come_back,
    the_dead_own_nothing,
    others_are_noticed,
)
