"""The promises of `RunStates`: what is known of a run by its key is true for the end of the log."""

from __future__ import annotations

from datetime import datetime, timedelta

from hitl_events.domain.values import MICROSECOND, RunId
from hitl_events.errors import ImpossibleHistory
from hitl_events.ports import EffectBatch, RunPosition, RunStates
from hitl_events.testing.checks.promise import (
    Make,
    OwnedLog,
    Promise,
    Storage,
    keep,
    loaded,
    owner,
    owner_after_restart,
    refuses,
    same,
)
from hitl_events.testing.checks.samples import NOON, Story, many, together

_STATUSES = ("running", "paused", "blocked", "completed", "failed", "cancelled")
_ODD_IDS = (
    "a",
    "A",
    "run",
    "run-1",
    "run-10",
    "~._-",
    "x" * 63,
    "x" * 64,
    "0" * 16,
    "0192f3a4-5b6c-7d8e-9f01-23456789abcd",
    "0192F3A4-5B6C-7D8E-9F01-23456789ABCD",
    "0192f3a45b6c7d8e9f0123456789abcd",
    "00000000-0000-0000-0000-000000000000",
)


async def check_run_states(make: Make[OwnedLog]) -> None:
    """Everything that `RunStates` promises its engine."""
    await keep(PROMISES, make)


async def unknown_runs_are_absent(storage: Storage[OwnedLog]) -> None:
    """A run that the log does not hold is not in what is loaded, whatever its id looks like."""
    log = await owner(storage)
    await log.append(Story("run-1").batch(2))

    strange = [
        RunId(text) for text in ("run", "run-11", "RUN-1", "", "run-1 ", "ü", "\ud800", "\0")
    ]
    same(await log.load(strange), {})
    same(await log.load([]), {})


async def a_run_is_loaded_whole(storage: Storage[OwnedLog]) -> None:
    """All events of a run are loaded byte for byte, seq 1 first, from however many batches."""
    log, stories = await owner(storage), many(30)
    for count in (1, 3, 2):
        await log.append(together(*stories, count=count))
        await log.append(together(*stories[::7], count=2))

    for story in stories:
        same(await loaded(log, story.run_id), tuple(story.values), story.run_id)


async def many_runs_are_loaded_at_once(storage: Storage[OwnedLog]) -> None:
    """A thousand runs are loaded in one call, each whole; unknown and doubled ids do no harm."""
    log, stories = await owner(storage), many(1300)
    for count in (2, 1):
        await log.append(together(*stories, count=count))
    asked = stories[100:1200]

    found = await log.load([*(story.run_id for story in asked), RunId("no"), asked[0].run_id])

    same(len(found), len(asked))
    same(found == {story.run_id: tuple(story.values) for story in asked}, True, "the same bytes")


async def ids_are_exact(storage: Storage[OwnedLog]) -> None:
    """Ids that differ in one letter, in case or in length are different runs."""
    log, stories = await owner(storage), [Story(run_id) for run_id in _ODD_IDS]
    await log.append(together(*stories, count=2))
    await log.append(together(*stories[::2]))

    for story in stories:
        same(await loaded(log, story.run_id), tuple(story.values), story.run_id)
    same([each.run_id for each in await _positions(log)], list(_ODD_IDS))


async def positions_are_the_latest(storage: Storage[OwnedLog]) -> None:
    """Every run's position is as it was last written, in the order in which the runs started."""
    log, stories = await owner(storage), many(2500)
    await log.append(together(*stories))
    told = stories[::3]
    batch = together(*told)
    due = NOON + MICROSECOND
    changed = [
        story.position(_STATUSES[n % 6], due if n % 2 else None, busy=n % 5 == 0)
        for n, story in enumerate(told)
    ]
    await log.append(EffectBatch(events=batch.events, positions=changed))

    latest = {story.run_id: story.position() for story in stories}
    latest |= {position.run_id: position for position in changed}
    same(await _positions(log) == list(latest.values()), True, "the positions that were written")


async def timers_are_found(storage: Storage[OwnedLog]) -> None:
    """Due runs come earliest first, as many as asked for, and not before their time."""
    log, stories = await owner(storage), many(6)
    minutes, start = (50, 20, None, 30, 10, 40), NOON + MICROSECOND
    await _place(log, stories, [m if m is None else start + timedelta(minutes=m) for m in minutes])

    at = start + timedelta(minutes=30)
    in_time = [stories[4].run_id, stories[1].run_id, stories[3].run_id]
    same(await log.due(at, 10), in_time)
    same(await log.due(at - MICROSECOND, 10), in_time[:2])
    same(await log.due(at, 1), in_time[:1])
    same(await log.due(NOON, 10), [])
    same(await log.next_due(), start + timedelta(minutes=10))


async def timers_end(storage: Storage[OwnedLog]) -> None:
    """A timer that was moved or taken away wakes nobody at its old time."""
    log, stories = await owner(storage), many(3)
    same(await log.next_due(), None)
    await _place(log, stories, [NOON, NOON, None])

    later = NOON + timedelta(days=1)
    moved = [stories[0].position("paused", later), stories[1].position("completed")]
    await log.append(EffectBatch(positions=moved))

    same(await log.due(NOON, 10), [])
    same(await log.next_due(), later)
    same(await log.due(later, 10), [stories[0].run_id])


async def work_is_found(storage: Storage[OwnedLog]) -> None:
    """Busy runs come in the order of their start, as many as asked for, until they rest."""
    log, stories = await owner(storage), many(9)
    await log.append(together(*stories))
    busy = [stories[n].position(busy=True) for n in (7, 1, 4)]
    await log.append(EffectBatch(positions=busy))

    in_order = [stories[n].run_id for n in (1, 4, 7)]
    same(await log.busy(10), in_order)
    same(await log.busy(2), in_order[:2])
    await log.append(EffectBatch(positions=[stories[4].position()]))
    same(await log.busy(10), [in_order[0], in_order[2]])


async def a_stale_position_is_refused(storage: Storage[OwnedLog]) -> None:
    """A position that does not fit the events of its run is refused, and changes nothing."""
    log, story = await owner(storage), Story()
    await log.append(story.batch(2))
    before = await _positions(log)
    unknown = Story("unknown")
    unknown.tell(2)
    ahead = Story()
    ahead.tell(3)

    for stale in (unknown.position(), ahead.position(), Story("none").position()):
        await refuses(log.append(EffectBatch(positions=[stale])), ImpossibleHistory)

    same(await _positions(log), before)


async def a_restart_changes_no_state(storage: Storage[OwnedLog]) -> None:
    """Timers, work, positions and runs are the same after all processes have ended."""
    log, stories = await owner(storage), many(5)
    await _place(log, stories, [NOON, None, NOON - MICROSECOND, None, None])
    await log.append(EffectBatch(positions=[stories[3].position(busy=True)]))
    before = await _snapshot(log, stories)

    log = await owner_after_restart(storage)

    same(await _snapshot(log, stories), before)


async def _place(log: OwnedLog, stories: list[Story], dues: list[datetime | None]) -> None:
    events = [appended for story in stories for appended in story.tell(2)]
    positions = [story.position("paused", due) for story, due in zip(stories, dues, strict=True)]
    await log.append(EffectBatch(events=events, positions=positions))


async def _positions(log: RunStates) -> list[RunPosition]:
    return [position async for piece in log.positions() for position in piece]


async def _snapshot(log: OwnedLog, stories: list[Story]) -> tuple[object, ...]:
    return (
        await _positions(log),
        await log.due(NOON, 10),
        await log.next_due(),
        await log.busy(10),
        dict(await log.load([story.run_id for story in stories])),
    )


PROMISES: tuple[Promise[OwnedLog], ...] = (
    unknown_runs_are_absent,
    a_run_is_loaded_whole,
    many_runs_are_loaded_at_once,
    ids_are_exact,
    positions_are_the_latest,
    timers_are_found,
    timers_end,
    work_is_found,
    a_stale_position_is_refused,
    a_restart_changes_no_state,
)
