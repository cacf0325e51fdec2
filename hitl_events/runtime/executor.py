"""Runs step functions: `async def` on the loop, plain functions in a bounded pool of threads."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any, TypeAlias

from hitl_events.domain.requests import USER_BYTES_MAX
from hitl_events.domain.state import StepKey
from hitl_events.domain.values import RunId, maker
from hitl_events.engine.inputs import StepReport, StepStart
from hitl_events.errors import HitlError, NoThread, NotSerialisable
from hitl_events.ports import Clock
from hitl_events.recipes import values
from hitl_events.recipes.endings import message_of, name_of_error
from hitl_events.recipes.run import TooLarge
from hitl_events.recipes.step import Step, StepSpec, enter_step

THREADS_MAX = 32
"""Plain functions at the same time; more wait in the pool's queue."""

ONCE_START_S_MAX = 5.0
"""A `once` step whose intent is older than this is not begun: its reconcile gate opens."""

Place: TypeAlias = tuple[RunId, StepKey]
"""Where an attempt is at work: no step of a run has two at a time."""

_new_step = maker(Step)
_new_report = maker(StepReport)


class Executor:
    """Gives each finished attempt to `report`; what is cancelled, or never begun, reports nothing.

    `fail` is told what kept one from beginning that is none of the step's fault. `begun` are the
    attempts that are at work.
    """

    def __init__(
        self,
        clock: Clock,
        report: Callable[[StepReport], None],
        fail: Callable[[HitlError], None],
    ) -> None:
        self.begun: dict[Place, int] = {}
        self._clock = clock
        self._report = report
        self._fail = fail
        self._pool: ThreadPoolExecutor | None = None
        self._term = 0
        self._beginning = threading.Lock()

    async def run(self, start: StepStart, committed_s: float) -> None:
        """One attempt. `committed_s`: the monotonic second at which its commit began."""
        began_s = self._clock.monotonic_s()
        spec: StepSpec = start.request.spec
        if spec.once and began_s - committed_s > ONCE_START_S_MAX:
            self._report(self._ended(start, began_s, uncertain=True))
            return
        limit: asyncio.Timeout | None = None
        try:
            enter_step(self._step(start, spec))
            args, kwargs = values.arguments(spec.function, start.request.args)
            begin = partial(self._begin, start, committed_s, self._term)
            if spec.timeout_s is None:
                output = await self._call(start, begin, args, kwargs)
            else:
                async with asyncio.timeout(spec.timeout_s) as limit:
                    output = await self._call(start, begin, args, kwargs)
            packed = _packed(spec, output)
        except _NotBegunError:
            return
        except _NoThreadError as error:
            self._fail(NoThread(start.request.key[1], str(error)))
            return
        except _TooLateError:
            self._report(self._ended(start, began_s, uncertain=True))
            return
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) or _is_left(error) or _is_cancelled(error):
                raise
            over = limit is not None and limit.expired()
            self._report(self._failed(start, began_s, error, timed_out=over))
            return
        finally:
            self.begun.pop((start.run_id, start.request.key), None)
        self._report(self._ended(start, began_s, output=packed))

    def let_go(self) -> None:
        """Nothing that has not begun begins any more, until it is asked for anew.

        What waits for a thread may wait so long that another owner has its result meanwhile.
        """
        with self._beginning:
            self._term += 1

    def _begin(self, start: StepStart, committed_s: float, term: int) -> None:
        """In the thread of the step, right before it. `term` counts how often all was let go."""
        with self._beginning:
            if term != self._term:
                raise _NotBegunError
            waited_s = self._clock.monotonic_s() - committed_s
            if start.request.once and waited_s > ONCE_START_S_MAX:
                raise _TooLateError
            self.begun[start.run_id, start.request.key] = start.attempt

    async def _call(
        self,
        start: StepStart,
        begin: Callable[[], None],
        args: list[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        function = start.request.spec.function
        if _is_async(function):
            self.begun[start.run_id, start.request.key] = start.attempt
            return await function(*args, **kwargs)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="hitl-step")
        context = copy_context()

        def call() -> Any:
            begin()
            try:
                return context.run(function, *args, **kwargs)
            except (StopIteration, GeneratorExit) as error:
                # a future can not hold the one, and the other would end the task that awaits it
                raised = type(error).__name__
                raise RuntimeError(f"plain function raised {raised}") from error

        output = await asyncio.wrap_future(_submitted(self._pool, call))
        return await output if inspect.isawaitable(output) else output

    def _step(self, start: StepStart, spec: StepSpec) -> Step:
        kind, name, occurrence = start.request.key
        suffix = ":undo" if kind == "undo" else ""
        limit = None if spec.timeout_s is None else timedelta(seconds=spec.timeout_s)
        return _new_step(
            key=f"{start.run_id}:{name}:{occurrence}{suffix}",
            attempt=start.attempt,
            deadline=None if limit is None else self._clock.now() + limit,
        )

    def _failed(
        self, start: StepStart, began_s: float, error: BaseException, *, timed_out: bool
    ) -> StepReport:
        spec: StepSpec = start.request.spec
        if timed_out and spec.once:
            return self._ended(start, began_s, uncertain=True)
        name, message = _said(error)
        if timed_out:
            message = f"expected a result within {spec.timeout_s:g} s, found none"
        again = not isinstance(error, NotSerialisable) and spec.retry.again(
            error, start.attempt, once=spec.once
        )
        pause = spec.retry.pause(start.attempt) if again else None
        return self._ended(start, began_s, error=name, message=message, retry_in=pause)

    def _ended(self, start: StepStart, began_s: float, **how: Any) -> StepReport:
        return _new_report(
            run_id=start.run_id,
            key=start.request.key,
            attempt=start.attempt,
            args_digest=start.request.args_digest,
            duration_us=int((self._clock.monotonic_s() - began_s) * 1e6),
            **how,
        )

    def close(self) -> None:
        """Let the threads go; a function that still runs is not waited for."""
        self.let_go()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _submitted(pool: ThreadPoolExecutor, call: Callable[[], Any]) -> Future[Any]:
    """What the call will come to, in a thread of the pool; `_NoThreadError` if there will be none.

    A pool that wants one thread more and gets none has queued the call all the same: those that it
    has take it later, as they take what comes when all are at work.
    """
    promised: Future[Any] = Future()

    def work() -> None:
        if not promised.set_running_or_notify_cancel():
            return
        try:
            output = call()
        except BaseException as error:  # noqa: BLE001 - it is the awaiting attempt's
            promised.set_exception(error)
        else:
            promised.set_result(output)

    try:
        queued = pool.submit(work)
    except RuntimeError as error:
        has_threads = any(each.is_alive() for each in pool._threads)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]  # nothing else tells
        if not has_threads and promised.cancel():
            raise _NoThreadError(str(error)) from None
    else:
        queued.add_done_callback(lambda held: held.cancelled() and promised.cancel())
    return promised


class _NoThreadError(Exception):
    """The system gives the pool none."""


class _NotBegunError(Exception):
    """It was let go while it waited for a thread."""


class _TooLateError(Exception):
    """It waited so long for a thread that somebody may be asked about it already."""


def _packed(spec: StepSpec, output: Any) -> bytes:
    """The output as it will be recorded, once it is sure that it can be read back."""
    packed = values.dump(output)
    if len(packed) > USER_BYTES_MAX:
        raise TooLarge("an output", len(packed))
    values.check(packed, values.return_type(spec.function))
    return packed


def _is_cancelled(error: BaseException) -> bool:
    """True if we are to stop; False for a cancellation of the step's own making."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling() > 0)


def _is_left(error: BaseException) -> bool:
    """True if what runs here is ended with its loop; False for a `GeneratorExit` of the step's."""
    if not isinstance(error, GeneratorExit):
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False


def _said(error: BaseException) -> tuple[str, str]:
    if isinstance(error, TooLarge):
        name = "output.too_large"
    elif isinstance(error, NotSerialisable):
        name = "output.not_serialisable"
    else:
        name = name_of_error(error)
    return name, message_of(error)


def _is_async(function: Callable[..., Any]) -> bool:
    try:
        return _cached_is_async(function)
    except TypeError:
        return _find_is_async(function)  # a callable that can not be hashed


def _find_is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - objects whose call is async
    )


_cached_is_async = lru_cache(4096)(_find_is_async)
