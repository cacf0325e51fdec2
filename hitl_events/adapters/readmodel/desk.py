"""The connection to a read model on a thread of its own, so that an event loop never waits for it.

One piece of work after the other, in the order in which they came: one whose caller was cancelled
is ended before the next begins, so that two never meet in one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from typing import TypeVar

from hitl_events.adapters.readmodel.model import ReadModel
from hitl_events.domain.values import RunId
from hitl_events.errors import HitlError
from hitl_events.projections.rows import Rows
from hitl_events.projections.store import Tenure

_T = TypeVar("_T")


class Desk:
    """`RowStore` for work that is done through `do`. It is opened when it is needed.

    After any error it is opened anew: the connection may be broken, or the database another one
    by now.
    """

    def __init__(self, open_model: Callable[[], ReadModel]) -> None:
        self._open = open_model
        self._model: ReadModel | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hitl-read-model")

    async def do(self, work: Callable[[], _T]) -> _T:
        """Its result, once what was asked before is done."""
        run = partial(self._run, work)
        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    async def check(self) -> None:
        """Whether it can be opened."""
        await self.do(self._opened)

    async def close(self) -> None:
        """Give the connection back after what was asked before; to be bounded by the caller."""
        await self.do(self._drop)
        self._thread.shutdown(wait=False)

    def _run(self, work: Callable[[], _T]) -> _T:
        with ExitStack() as undo:
            undo.callback(self._drop)
            found = work()
            undo.pop_all()
        return found

    def _drop(self) -> None:
        model, self._model = self._model, None
        if model is not None:
            with suppress(HitlError):  # what it had to say was said before
                model.close()

    # as a `RowStore`, inside of `do`

    def take_over(self, partition: int) -> Tenure:
        return self._opened().take_over(partition)

    def load(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Sequence[bytes]]:
        return self._opened().load(run_ids)

    def write(self, tenure: Tenure, rows: Rows, next_offset: int, last_offset: int) -> Tenure:
        return self._opened().write(tenure, rows, next_offset, last_offset)

    def _opened(self) -> ReadModel:
        if self._model is None:
            self._model = self._open()
        return self._model
