"""Processes beside this one: answers in order, and an end that is told."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable

import pytest

from hitl_events.errors import HitlError, InvalidInput, ProcessDied
from hitl_services.workers import Workers


def squares(offset: int) -> Callable[[int], int]:
    """What the processes of these tests do."""

    def work(asked: int) -> int:
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
    workers = Workers(2, squares, (1,), lambda asked: f"number {asked}")
    try:
        return [answer async for answer in workers.answers(_numbers(*numbers))]
    finally:
        workers.close()


async def test_answers_come_in_the_order_of_the_questions() -> None:
    """Whoever is done first; every question has one."""
    assert await _answers(*range(9)) == [number * number + 1 for number in range(9)]


async def test_no_questions_have_no_answers() -> None:
    """Processes that were not needed end too."""
    assert await _answers() == []


@pytest.mark.parametrize(
    ("asked", "kind", "told"),
    [
        (-1, ProcessDied, r"done with number -1, found that it died \(signal 9\)"),
        (-2, HitlError, "expected a number from 0 on, found -2"),
        (-3, HitlError, "ZeroDivisionError: of a user"),
    ],
)
async def test_an_end_is_told(asked: int, kind: type[HitlError], told: str) -> None:
    """With what the process was at, or what went wrong in it."""
    with pytest.raises(kind, match=told):
        await _answers(0, 1, asked, 2, 3, 4)
