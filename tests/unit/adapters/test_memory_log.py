import pytest

from hitl_events.adapters.memory import Crashed, MemoryLog
from hitl_events.adapters.memory.storage import CrashPoint
from hitl_events.errors import Fenced, InvalidInput, LogUnavailable, ReadOnlyLog
from hitl_events.testing.checks.promise import values
from hitl_events.testing.checks.samples import Story, submission


def _owned(partitions: int = 1) -> MemoryLog:
    log = MemoryLog(partitions)
    assert log.try_own()
    return log


@pytest.mark.parametrize(("point", "kept"), [("before_commit", 2), ("after_commit", 4)])
async def test_a_crash_is_on_one_side_of_the_commit(point: CrashPoint, kept: int) -> None:
    """The process dies with nothing or with all of the batch written, and others can go on."""
    log, story = _owned(), Story()
    await log.append(story.batch(2))
    log.crash_at(point)

    with pytest.raises(Crashed):
        await log.append(story.batch(2))

    again = log.reopen()
    assert again.try_own()
    assert await values(again) == story.values[:kept]


async def test_the_dead_stay_dead() -> None:
    """Nothing can be done with an opening that died, and no `except Exception` hides it."""
    log = _owned()
    log.crash_at("before_commit")
    with pytest.raises(Crashed):
        await log.append(Story().batch())

    for call in (log.try_own, log.changed, log.read):
        with pytest.raises(Crashed):
            call()
    with pytest.raises(Crashed):
        await log.put(submission())
    log.close()
    assert not issubclass(Crashed, Exception)


async def test_a_crash_can_wait() -> None:
    """The `nth` append from the order on meets the crash, not those before it."""
    log, story = _owned(), Story()
    log.crash_at("after_commit", nth=3)

    await log.append(story.batch())
    await log.append(story.batch())
    with pytest.raises(Crashed):
        await log.append(story.batch())

    assert await values(log.reopen()) == story.values


async def test_a_refused_commit_is_survived() -> None:
    """As on a full disk: nothing of the batch is there, and the next one is written."""
    log, story = _owned(), Story()
    log.refuse_at(1)

    with pytest.raises(LogUnavailable):
        await log.append(Story("lost").batch())
    await log.append(story.batch())

    assert await values(log) == story.values


async def test_partitions_are_apart() -> None:
    """Each partition has offsets, owner, intake and runs of its own, in one storage."""
    logs = [_owned(3)]
    logs += [logs[0].partition(number) for number in (1, 2)]
    stories = [Story(f"run-{log.number}") for log in logs]
    for log, story in zip(logs, stories, strict=True):
        assert log.try_own()
        await log.append(story.batch(2))
        await log.put(submission())

    assert logs[0].partitions == 3
    for log, story in zip(logs, stories, strict=True):
        assert await values(log.reopen()) == story.values
        assert list(await log.load([each.run_id for each in stories])) == [story.run_id]
        assert [each.source.partition for each in await log.take(0, 9)] == [log.number]


async def test_a_log_is_not_shared_by_accident() -> None:
    """Two logs that were made apart have nothing in common."""
    first, second = _owned(), _owned()
    await first.append(Story().batch())

    assert await second.end() == 0


async def test_what_was_imported_is_only_read() -> None:
    """After an import the log reads as ever, and nothing may run in it."""
    log, story = _owned(), Story()
    await log.fill([story.batch(2), story.batch(1)])

    assert await values(log) == story.values
    assert log.imported
    with pytest.raises(ReadOnlyLog):
        log.try_own()
    with pytest.raises(Fenced):
        await log.append(story.batch())
    with pytest.raises(ReadOnlyLog):
        await log.reopen().put(submission())


async def test_only_an_empty_log_is_filled() -> None:
    """An import never mixes with what is there, and one that fails leaves nothing."""
    log, story = _owned(), Story()
    story.tell(1)
    with pytest.raises(InvalidInput):
        await log.fill([Story("a").batch(), type(story.batch())(events=Story("b").tell())])
    assert await log.end() == 0
    assert not log.imported

    await log.append(Story().batch())
    with pytest.raises(InvalidInput, match="found 1 events"):
        await log.fill([])


def test_there_is_no_log_without_partitions() -> None:
    """A log has at least one partition."""
    with pytest.raises(InvalidInput):
        MemoryLog(0)
