"""Work in several processes: each does its share and tells how far it is, the caller listens.

A child is a fresh interpreter (`spawn`): it inherits no lock, connection or thread. Ctrl-C is the
caller's to hear, who then ends all of them; a child whose caller has died ends with the next thing
that it tells.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, Protocol, TypeVar

from hitl_events.errors import HitlError, LogUnavailable

JOBS_MAX = 256
"""More processes than any log has work for; each takes 40 MB."""
_LOOK_S = 1.0
_END_S = 2.0
"""After SIGTERM; then it is killed."""
_TOLD, _DONE, _FAILED = range(3)

_T = TypeVar("_T")
_R = TypeVar("_R")
_R_co = TypeVar("_R_co", covariant=True)
_T_co = TypeVar("_T_co", covariant=True)


class Job(Protocol[_T_co, _R_co]):
    """A share of the work: a value of a module's own class, since it travels to the child."""

    def __call__(self, tell: Callable[[Any], None]) -> _R_co:
        """Do it, and tell things on the way."""
        ...


def cores() -> int:
    """How many processes can work at the same time here."""
    with suppress(AttributeError):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def all_of(jobs: Sequence[Job[_T, _R]], heard: Callable[[_T], None]) -> list[_R]:
    """The results in the order of the jobs, each of which has a process; a single one has this.

    The first that fails ends all of them: `LogUnavailable` says what it found, or that it died.
    """
    if len(jobs) == 1:
        return [jobs[0](heard)]
    with ExitStack() as undo:
        with _deaf_to_ctrl_c():
            children = [
                undo.enter_context(_started(job, number)) for number, job in enumerate(jobs)
            ]
        listening: _Listening[_T, _R] = _Listening(children, heard)
        return listening.results()


class _Listening(Generic[_T, _R]):
    """Hears all children until each has given its result."""

    def __init__(self, children: Sequence[_Child], heard: Callable[[_T], None]) -> None:
        self._children = {child.connection: child for child in children}
        self._heard = heard
        self._results: dict[int, _R] = {}

    def results(self) -> list[_R]:
        while self._children:
            for ready in wait(list(self._children), _LOOK_S):
                if isinstance(ready, Connection):
                    self._hear(self._children[ready])
        return [self._results[number] for number in sorted(self._results)]

    def _hear(self, child: _Child) -> None:
        try:
            kind, held = child.connection.recv()
        except (EOFError, OSError):
            raise LogUnavailable(child.death()) from None
        if kind == _TOLD:
            self._heard(held)
            return
        if kind == _FAILED:
            raise LogUnavailable(held)
        self._results[child.number] = held
        del self._children[child.connection]


class _Child:
    """A process under way, and where it is heard."""

    def __init__(self, process: SpawnProcess, connection: Connection, number: int) -> None:
        self.process = process
        self.connection = connection
        self.number = number

    def death(self) -> str:
        """How it ended before it was done."""
        self.process.join(_END_S)
        code = self.process.exitcode
        how = f"exit code {code}" if code is None or code >= 0 else f"killed by signal {-code}"
        advice = "repeat it, with --jobs 1 if memory is short"
        return (
            f"expected a process of this command to do its share, found it ended: {how}; {advice}"
        )

    def end(self) -> None:
        """Make it end, and leave nothing of it."""
        self.connection.close()
        self.process.terminate()
        self.process.join(_END_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join(_END_S)
        self.process.close()


@contextmanager
def _started(job: Job[_T, _R], number: int) -> Generator[_Child]:
    context = multiprocessing.get_context("spawn")
    ours, its = Pipe(duplex=False)
    process = context.Process(target=_work, args=(its, job), daemon=True)
    process.start()
    its.close()  # so that its end is heard
    assert isinstance(ours, Connection)
    child = _Child(process, ours, number)
    try:
        yield child
    finally:
        child.end()


@contextmanager
def _deaf_to_ctrl_c() -> Generator[None]:
    """Processes that are started here never see it, from their first instruction on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Connection, job: Job[Any, Any]) -> None:
    """All that a child does; it has no other output than what it tells."""

    def tell(held: object) -> None:
        connection.send((_TOLD, held))

    try:
        connection.send((_DONE, job(tell)))
    except BrokenPipeError:
        os._exit(1)  # nobody listens any more, and nothing of ours is left to close
    except HitlError as error:
        _last_word(connection, str(error))
    except Exception as error:  # noqa: BLE001 - the one of this process: a defect is told in one line
        _last_word(connection, f"expected no error, found one in hitl itself: {error!r}")


def _last_word(connection: Connection, problem: str) -> None:
    with suppress(OSError):
        connection.send((_FAILED, problem))
