"""Keeps a recipe's hands off the event loop's tasks: those it would make, and the runner's own."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NoReturn, cast

from hitl_events.errors import ForeignTask


class _Refusing:
    """Stands for the current task: `asyncio.timeout` would cancel the runner's."""

    def __getattr__(self, name: str) -> NoReturn:
        raise ForeignTask(
            f"asyncio.timeout or another use of the current task ({name}; a gate has expires_in)"
        )


_REFUSING = cast("asyncio.Task[Any]", _Refusing())


def _refuse(_loop: object, coro: Any, **_options: object) -> NoReturn:
    """In place of a new task: what it asks the run for would never be recorded."""
    coro.close()
    what = getattr(coro, "__qualname__", type(coro).__name__)
    raise ForeignTask(f"a task for {what} (what is done meanwhile belongs in run.all)")


@contextmanager
def outside_of_tasks() -> Generator[None, None, None]:
    """What runs inside can make no task, and can do nothing with the current one: `ForeignTask`.

    The two calls are asyncio's documented support for those who run code in place of a task
    ("Extending asyncio", task lifetime support).
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    factory = loop.get_task_factory()
    _swap(loop, task, _REFUSING)
    loop.set_task_factory(_refuse)
    try:
        yield
    finally:
        loop.set_task_factory(factory)
        _swap(loop, _REFUSING, task)


def _swap(loop: asyncio.AbstractEventLoop, old: asyncio.Task[Any], new: asyncio.Task[Any]) -> None:
    asyncio.tasks._leave_task(loop, old)  # noqa: SLF001 - documented, see above
    asyncio.tasks._enter_task(loop, new)  # noqa: SLF001 - documented, see above
