"""Processes that answer one question after the other, so that all processors work on one command.

They are started anew, not forked: what they do is found by its import, and they inherit no thread,
lock or connection. They die with whoever asks them.
"""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar, cast

from hitl_events.errors import HitlError, ProcessDied
from hitl_services.failure import one_line

A = TypeVar("A")
R = TypeVar("R")
ANSWER_S_MAX = 600.0
"""A question is a second's work; what takes this long never ends."""
_END_S = 2.0


class Workers(Generic[A, R]):
    """`count` processes; each calls `prepare(*given)` once and what that gives for each question.

    A question and an answer must be picklable; `name` says of a question what to tell of it when
    the process that has it dies.
    """

    def __init__(
        self,
        count: int,
        prepare: Callable[..., Callable[[A], R]],
        given: tuple[object, ...],
        name: Callable[[A], str],
    ) -> None:
        self._name = name
        self._idle = deque(_Worker[A, R](prepare, given) for _ in range(count))
        self._all = tuple(self._idle)

    async def answers(self, questions: AsyncIterator[A]) -> AsyncGenerator[R]:
        """The answers in the order of the questions; no more questions are taken than are asked.

        `ProcessDied` where one died, `HitlError` where its work raised.
        """
        busy: deque[_Worker[A, R]] = deque()
        async for question in questions:
            if not self._idle:
                yield await busy[0].answer(self._name)
                self._idle.append(busy.popleft())
            worker = self._idle.popleft()
            worker.ask(question, self._name)
            busy.append(worker)
        while busy:
            yield await busy.popleft().answer(self._name)

    def close(self) -> None:
        """End all of them, whatever they do."""
        for worker in self._all:
            worker.close()


class _Worker(Generic[A, R]):
    """One process and the pipe to it."""

    def __init__(self, prepare: Callable[..., Callable[[A], R]], given: tuple[object, ...]) -> None:
        # neither fork nor forkserver: a fork has the locks of threads that it does not have
        context = get_context("spawn")
        self._pipe, its = context.Pipe()
        self._process = context.Process(target=_serve, args=(its, prepare, given), daemon=True)
        self._process.start()
        its.close()
        self._asked: A | None = None

    def ask(self, question: A, name: Callable[[A], str]) -> None:
        """It has answered all before: so it reads, and this waits for nobody."""
        self._asked = question
        try:
            self._pipe.send(question)
        except OSError:
            raise self._dead(question, name) from None

    async def answer(self, name: Callable[[A], str]) -> R:
        question = cast("A", self._asked)
        try:
            await self._ready()
            is_answer, told = self._pipe.recv()
        except TimeoutError:
            raise ProcessDied(name(question), f"no answer in {ANSWER_S_MAX:.0f} s") from None
        except (EOFError, OSError):
            raise self._dead(question, name) from None
        if not is_answer:
            raise HitlError(told)
        return cast("R", told)

    async def _ready(self) -> None:
        """Wait on the loop, where a Ctrl-C gets in, until there is an answer or nobody to give it.

        No more than the beginning of an answer is waited for: the rest is on its way.
        """
        ready = asyncio.Event()
        loop, number = asyncio.get_running_loop(), self._pipe.fileno()
        loop.add_reader(number, ready.set)
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                await ready.wait()
        finally:
            loop.remove_reader(number)

    def _dead(self, question: A, name: Callable[[A], str]) -> ProcessDied:
        self._process.join(_END_S)
        code = self._process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return ProcessDied(name(question), how)

    def close(self) -> None:
        self._process.kill()
        self._process.join(_END_S)
        self._pipe.close()


def _serve(
    pipe: Connection, prepare: Callable[..., Callable[[Any], Any]], given: tuple[object, ...]
) -> None:
    """The whole life of a process: a Ctrl-C is its parent's, the end of the pipe its own end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        work = prepare(*given)
        while True:
            pipe.send((True, work(pipe.recv())))
    except (EOFError, BrokenPipeError):
        return
    except HitlError as error:
        pipe.send((False, str(error)))
    except Exception as error:  # noqa: BLE001 - the one of this process; whoever asked tells it
        told = one_line(f"{type(error).__name__}: {error}")
        pipe.send((False, f"expected no error, found one in a process of hitl: {told}"))
