"""Keeps a recipe's hands off the runner's own task."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def outside_of_tasks() -> Generator[None, None, None]:
    """No current task inside: `asyncio.timeout` in a recipe raises there, instead of cancelling us.

    The two calls are asyncio's documented support for those who run code in place of a task
    ("Extending asyncio", task lifetime support).
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    asyncio.tasks._leave_task(loop, task)  # noqa: SLF001 - documented, see above
    try:
        yield
    finally:
        asyncio.tasks._enter_task(loop, task)  # noqa: SLF001 - documented, see above
