"""Processes that answer questions beside this one, so that all cores work on one command.

Each is a fresh interpreter (`spawn`): it inherits no lock, connection or thread, and what it does
is found by its import. Ctrl-C is the caller's to hear, who then ends all of them; one whose caller
has died ends with the next thing that it tells, or at once if it has nothing to do.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, cast

from hitl_events.errors import HitlError, ProcessDied
from hitl_services.failure import unexpected

JOBS_MAX = 256
"""More processes than any log has work for; each takes 40 MB."""
ANSWER_S_MAX = 600.0
"""A question is a second's work; what takes this long never ends."""
SHARE_S_MAX = 3_600.0
"""Without a word of any share: 2,000 events that refer to 64 MiB each are read in ten minutes."""
_END_S = 2.0
_TOLD, _DONE, _FAILED = range(3)

A = TypeVar("A")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
Tell: TypeAlias = Callable[[Any], None]
"""Takes what is told on the way to an answer, as how much is done; the caller hears it."""
Work: TypeAlias = Callable[[A, Tell], R]
"""Answers a question."""


class Job(Protocol[R_co]):
    """A share of the work: a value of a module's own class, since it travels to a process."""

    def __call__(self, tell: Tell) -> R_co:
        """Do it, and tell things on the way."""
        ...


def cores() -> int:
    """How many processes can work at the same time here, at most `JOBS_MAX`."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    return min(len(allowed(0)) if allowed else os.cpu_count() or 1, JOBS_MAX)


def all_of(jobs: Sequence[Job[R]], heard: Tell) -> list[R]:
    """The results in the order of the jobs, each of which has a process; a single one has this.

    The first that fails or dies ends all of them, with its error or a `ProcessDied`.
    """
    if len(jobs) == 1:
        return [jobs[0](heard)]
    return asyncio.run(_all_of(jobs, heard))


async def _all_of(jobs: Sequence[Job[R]], heard: Tell) -> list[R]:
    beside: AbstractContextManager[Workers[Job[R], R]]
    beside = workers(len(jobs), _doing, (), _share, SHARE_S_MAX)
    with beside as started:
        return [answer async for answer in started.answers(_each(jobs), heard)]


def _doing() -> Work[Job[R], R]:
    return lambda job, tell: job(tell)


def _share(_: object) -> str:
    return "its share"


async def _each(jobs: Sequence[Job[R]]) -> AsyncGenerator[Job[R]]:
    for job in jobs:
        yield job


@contextmanager
def workers(
    count: int,
    prepare: Callable[..., Work[A, R]],
    given: tuple[object, ...],
    named: Callable[[A], str],
    silence_s_max: float = ANSWER_S_MAX,
) -> Generator[Workers[A, R]]:
    """`count` processes; each calls `prepare(*given)` once and what that gives for each question.

    They are ended with the context, whatever they do. A question and an answer must be picklable;
    `named` says of a question what to tell of it when the process that has it dies.
    """
    with ExitStack() as undo:
        with _deaf_to_ctrl_c():
            started = [undo.enter_context(_started(prepare, given, named)) for _ in range(count)]
        yield Workers(started, silence_s_max)


class Workers(Generic[A, R]):
    """Asks each one question at a time."""

    def __init__(self, started: Sequence[_Worker[A, R]], silence_s_max: float) -> None:
        self._idle = deque(started)
        self._asked: deque[_Worker[A, R]] = deque()
        self._silence_s_max = silence_s_max

    async def answers(
        self, questions: AsyncIterator[A], heard: Tell = lambda _: None
    ) -> AsyncGenerator[R]:
        """The answers in the order of the questions; no more questions are taken than are asked.

        As soon as one dies `ProcessDied`, as soon as its work raises that error: one of the library
        as it was, a `HitlError` of any other. After it nothing can be asked.
        """
        async for question in questions:
            if not self._idle:
                yield await self._first(heard)
            worker = self._idle.popleft()
            worker.ask(question)
            self._asked.append(worker)
        while self._asked:
            yield await self._first(heard)

    async def _first(self, heard: Tell) -> R:
        """The answer to the oldest question; meanwhile all are heard."""
        while self._asked[0].is_asked:
            asked = [each for each in self._asked if each.is_asked]
            await self._word(asked)
            for worker in asked:
                if worker.pipe.poll():
                    worker.hear(heard)
        self._idle.append(self._asked.popleft())
        return self._idle[-1].answer()

    async def _word(self, asked: Sequence[_Worker[A, R]]) -> None:
        """Wait on the loop, where a Ctrl-C gets in, until one has a word or its end to tell.

        No more than the beginning of a word is waited for: the rest is on its way.
        """
        ready = asyncio.Event()
        loop = asyncio.get_running_loop()
        pipes = [each.pipe.fileno() for each in asked]
        for pipe in pipes:
            loop.add_reader(pipe, ready.set)
        try:
            async with asyncio.timeout(self._silence_s_max):
                await ready.wait()
        except TimeoutError:
            raise asked[0].death(f"no answer in {self._silence_s_max:.0f} s") from None
        finally:
            for pipe in pipes:
                loop.remove_reader(pipe)


class _Worker(Generic[A, R]):
    """One process and the pipe to it."""

    def __init__(
        self, pipe: Connection, ended: Callable[[], str], named: Callable[[A], str]
    ) -> None:
        self.pipe = pipe
        self.is_asked = False
        self._ended = ended
        self._named = named
        self._question: A | None = None
        self._answer: R | None = None

    def ask(self, question: A) -> None:
        """It has answered all before: so it reads, and this waits for nobody."""
        self._question = question
        self.is_asked = True
        try:
            self.pipe.send(question)
        except OSError:
            raise self.death(self._ended()) from None

    def hear(self, heard: Tell) -> None:
        """Take its next word: one on the way, its answer, its error or its end."""
        try:
            kind, held = self.pipe.recv()
        except (EOFError, OSError):
            raise self.death(self._ended()) from None
        if kind == _FAILED:
            raise held
        if kind == _TOLD:
            heard(held)
        else:
            self._answer = held
            self.is_asked = False

    def answer(self) -> R:
        """What it answered."""
        return cast("R", self._answer)

    def death(self, how: str) -> ProcessDied:
        """The error that tells what it was at."""
        return ProcessDied(self._named(cast("A", self._question)), how)


@contextmanager
def _started(
    prepare: Callable[..., Work[A, R]], given: tuple[object, ...], named: Callable[[A], str]
) -> Generator[_Worker[A, R]]:
    # neither fork nor forkserver: a fork has the locks of threads that it does not have
    context = get_context("spawn")
    ours, its = context.Pipe()
    process = context.Process(target=_serve, args=(its, prepare, given), daemon=True)
    process.start()
    its.close()  # so that its end is heard
    assert isinstance(ours, Connection)

    def ended() -> str:
        process.join(_END_S)
        code = process.exitcode
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"

    try:
        yield _Worker(ours, ended, named)
    finally:
        process.kill()
        process.join(_END_S)
        ours.close()


@contextmanager
def _deaf_to_ctrl_c() -> Generator[None]:
    """Processes that are started here never see it, from their first instruction on."""
    resource_tracker.ensure_running()  # it is started with the first of them, and lifts the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(
    pipe: Connection, prepare: Callable[..., Work[Any, Any]], given: tuple[object, ...]
) -> None:
    """The whole life of a process, which ends with the pipe; it has no other output."""

    def tell(held: object) -> None:
        pipe.send((_TOLD, held))

    try:
        work = prepare(*given)
        while True:
            pipe.send((_DONE, work(pipe.recv(), tell)))
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:  # noqa: BLE001 - the one of this process; whoever asked tells it
        with suppress(OSError):
            pipe.send((_FAILED, _carried(error)))


def _carried(error: Exception) -> HitlError:
    """What another process can raise: a class that it knows."""
    if not isinstance(error, HitlError):
        return HitlError(unexpected(error).message)
    return error if type(error).__module__ == HitlError.__module__ else HitlError(str(error))
