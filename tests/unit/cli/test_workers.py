"""Processes beside this one: answers in order, ends that are told, and no process left."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import AsyncIterator, Callable

import pytest

from hitl_events.errors import CorruptLog, HitlError, InvalidInput, ProcessDied
from hitl_services.cli.workers import Tell, all_of, workers
from tests.unit.cli.jobs import Doubled, Ends


def squares(offset: int) -> Callable[[int, Tell], int]:
    """What the processes of these tests do."""

    def work(asked: int, tell: Tell) -> int:
        tell(-asked)
        if asked == -1:
            os.kill(os.getpid(), 9)
        if asked == -2:
            raise InvalidInput("expected a number from 0 on, found -2")
        if asked == -3:
            raise ZeroDivisionError("of a user")
        return asked * asked + offset

    return work


async def _numbers(*numbers: int) -> AsyncIterator[int]:
    for number in numbers:
        yield number


async def _answers(*numbers: int) -> list[int]:
    heard: list[int] = []
    with workers(2, squares, (1,), lambda asked: f"number {asked}") as started:
        answers = [each async for each in started.answers(_numbers(*numbers), heard.append)]
    assert sorted(heard) == sorted(-number for number in numbers)
    return answers


async def test_answers_come_in_the_order_of_the_questions() -> None:
    """Whoever is done first; every question has one, and all that is told on the way is heard."""
    assert await _answers(*range(9)) == [number * number + 1 for number in range(9)]


async def test_no_questions_have_no_answers() -> None:
    """Processes that were not needed end too."""
    assert await _answers() == []


@pytest.mark.parametrize(
    ("asked", "kind", "told"),
    [
        (-1, ProcessDied, r"done with number -1, found that it died \(signal 9\)"),
        (-2, InvalidInput, "expected a number from 0 on, found -2"),
        (-3, HitlError, "ZeroDivisionError: of a user"),
    ],
)
async def test_an_end_is_told(asked: int, kind: type[HitlError], told: str) -> None:
    """With what the process was at, or what went wrong in it."""
    with pytest.raises(kind, match=told):
        await _answers(0, 1, asked, 2, 3, 4)


def test_results_come_in_the_order_of_the_jobs() -> None:
    """Each job runs in a process of its own; what they tell is heard before they are done."""
    heard: list[int] = []

    found = all_of([Doubled(number=number) for number in (3, 1, 2)], heard.append)

    assert found == [6, 2, 4]
    assert sorted(heard) == [1, 2, 3]
    assert multiprocessing.active_children() == []


def test_a_single_job_needs_no_other_process() -> None:
    """Little work is done where it is asked for."""
    heard: list[int] = []

    assert all_of([Doubled(number=4)], heard.append) == [8]
    assert heard == [4]


@pytest.mark.parametrize(
    ("how", "kind", "told"),
    [
        ("killed", ProcessDied, "signal 9"),
        ("exits", ProcessDied, "exit code 3"),
        ("corrupt", CorruptLog, "expected sound bytes, found others"),
        ("defect", HitlError, "in hitl itself: KeyError"),
    ],
)
def test_the_first_that_fails_ends_all(how: str, kind: type[HitlError], told: str) -> None:
    """One error says what happened; those that were at work are ended and waited for."""
    pids: list[int] = []

    with pytest.raises(kind, match=told):
        all_of([Ends(how="waits"), Ends(how=how)], pids.append)

    assert multiprocessing.active_children() == []
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_whoever_listens_may_stop() -> None:
    """An error of the listener, as Ctrl-C is one, leaves no process behind."""

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        all_of([Ends(how="waits"), Ends(how="waits")], stop)

    assert multiprocessing.active_children() == []
