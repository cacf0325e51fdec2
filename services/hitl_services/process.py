"""The frame of every long-lived process: settings, logs, metrics, health, signals, and its end.

`serve` builds all of it, runs one coroutine in it and closes it in reverse. What ends a process:

- its work returns, or a first SIGTERM, SIGINT or SIGHUP lets it end: exit 0, in less than 10 s;
- a second signal: exit 130, at once;
- a `HitlError`: one line on stderr that says what to do, and its exit code (2 settings, 5 the log);
- a defect of ours, an event loop that stands still, an end that hangs: exit 70.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from contextlib import ExitStack, suppress
from dataclasses import field
from importlib.metadata import version
from types import FrameType
from typing import Any, TypeAlias, TypeVar

from hitl_events.adapters.system import SystemClock
from hitl_events.domain.values import value
from hitl_events.errors import HitlError
from hitl_services.chronicle import Chronicle
from hitl_services.failure import CRASHED, DONE, INTERRUPTED, failure_of, one_line
from hitl_services.health import Ask, Health, HealthServer, Questions
from hitl_services.logs import Log, route_libraries, said, where
from hitl_services.memory import settle_memory
from hitl_services.metering import Meter
from hitl_services.metrics import Metrics
from hitl_services.observers import Observers
from hitl_services.settings import Look, ProcessSettings, lookup, process_settings
from hitl_services.signals import ending_signals
from hitl_services.watch import Bounds, Watch

Plan = TypeVar("Plan")


class Context:
    """What a process's work is given."""

    def __init__(self, settings: ProcessSettings, log: Log, stop: asyncio.Event) -> None:
        self.settings = settings
        self.log = log
        self.stop = stop
        """Set by the first signal: end what runs, begin nothing new."""
        self.metrics = Metrics()
        self.meter = Meter(self.metrics)
        self.observer = Observers(self.meter, Chronicle(log, SystemClock()))
        self._ready: Ask = _starting
        self.has_begun = False
        self._looks: list[Callable[[], None]] = []

    def each_beat(self, look: Callable[[], None]) -> None:
        """Call this on the event loop every half second: for what is a level, not an event."""
        self._looks.append(look)

    def beaten(self) -> None:
        """The loop has beaten."""
        for look in self._looks:
            look()

    def ready_when(self, ask: Ask) -> None:
        """What `/readyz` says from now on; it is asked on another thread.

        Before it nothing has begun that could be brought to an end: a stop cancels it at once.
        """
        self._ready = ask
        self.has_begun = True

    def readiness(self) -> Health:
        """Whether the process is ready: not before it has said when, nor once it has to stop."""
        return Health(good=False, reason="stopping") if self.stop.is_set() else self._ready()


Work: TypeAlias = Callable[[Context, Plan], Coroutine[Any, Any, None]]
Prepare: TypeAlias = Callable[[Look, ProcessSettings], Plan]


@value
class Service:
    """What a process is called, and the options it was given, by the names of their variables.

    `needs_key`: it makes or checks tokens of a cluster, for which all need one and the same key.
    """

    name: str
    options: Mapping[str, str]
    needs_key: bool = True
    bounds: Bounds = field(default_factory=Bounds)


def serve(service: Service, prepare: Prepare[Plan], work: Work[Plan]) -> int:
    """Run `work` with what `prepare` makes of the settings; the exit code.

    `prepare` comes before any log line: what is wrong with settings or recipes is told in one.
    Once this returns the process has a bounded time to end by itself, then it is ended.
    """
    frame = _Frame(service)
    try:
        code = frame.run(prepare, work)
    except HitlError as error:
        code = frame.failed(error)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the one of this process
        code = frame.crashed(error)
    frame.ended(code)
    return code


class _Frame:
    """One process. Signals may come at any moment from here on."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._bounds = service.bounds
        self._watch = Watch(SystemClock(), service.bounds)
        self._log: Log | None = None
        self._signal: str | None = None
        self._working = False
        self._told: Callable[[], object] | None = None
        self._watch.start()
        for number in ending_signals():
            signal.signal(number, self._came)

    def _came(self, number: int, _: FrameType | None) -> None:
        """A signal. It may have interrupted anything, so it takes no lock."""
        if self._signal is not None:
            os.write(2, f"{self._service.name}: interrupted\n".encode())
            os._exit(INTERRUPTED)
        self._signal = signal.Signals(number).name
        self._watch.exit_within(self._bounds.end_s, CRASHED if self._working else DONE)
        if self._told is not None:
            self._told()

    def run(self, prepare: Prepare[Plan], work: Work[Plan]) -> int:
        """The exit code of the work; raises what ended it."""
        with ExitStack() as stack:
            look = lookup(self._service.options)
            settings = process_settings(look, needs_key=self._service.needs_key)
            server = None if settings.metrics_port is None else HealthServer(settings.metrics_port)
            if server is not None:
                stack.callback(server.stop)
            plan = prepare(look, settings)
            name = self._service.name
            log = Log(settings.log, sys.stderr, process=name, secrets=settings.secrets)
            self._log = self._watch.log = log
            route_libraries(log)  # to the very end: the interpreter's own has something to say too
            _route_defects(log)
            log.tell("process.started", version=version("hitl-events"), pid=os.getpid())
            context = Context(settings, log, asyncio.Event())
            if server is not None:
                self._answer(server, context)
            settle_memory()
            with asyncio.Runner() as runner:
                return runner.run(self._drive(context, work(context, plan)))

    def _answer(self, server: HealthServer, context: Context) -> None:
        log = context.log
        questions = Questions(
            live=self._watch.alive,
            ready=context.readiness,
            metrics=context.metrics.text,
            failed=lambda error: log.tell("thread.failed", error=said(error)),
        )
        server.start(questions)
        log.tell("metrics.listening", port=server.port)

    async def _drive(self, context: Context, work: Coroutine[Any, Any, None]) -> int:
        """The work until it ends; whatever is left of it then has `close_s`."""
        code = CRASHED
        try:
            code = await self._bounded(context, work)
        except HitlError as error:
            code = failure_of(error).exit_code
            raise
        finally:
            self._told = None
            self._watch.exit_within(self._bounds.close_s, code)
        return code

    async def _bounded(self, context: Context, work: Coroutine[Any, Any, None]) -> int:
        """After a signal the work has `drain_s` to end, then it is cancelled."""
        loop = asyncio.get_running_loop()
        bound = asyncio.timeout(None)
        killed = True

        def stop() -> None:
            nonlocal killed
            if self._told is not None:
                context.log.tell("process.stopping", signal=self._signal)
                context.stop.set()
                killed = context.has_begun
                bound.reschedule(loop.time() + (self._bounds.drain_s if killed else 0))

        try:
            async with bound:
                self._told = lambda: loop.call_soon_threadsafe(stop)
                if self._signal is not None:  # it came before anything began
                    context.log.tell("process.stopping", signal=self._signal)
                    work.close()
                    return DONE
                self._working = True
                with self._watch.beating(context.beaten):
                    await work
        except TimeoutError:
            if not bound.expired():
                raise
            if not killed:
                return DONE
            context.log.tell("process.killed", exit_code=CRASHED)
            return CRASHED
        return DONE

    # how it ended

    def failed(self, error: HitlError) -> int:
        """What this process can not mend: a line for whoever looks, and one for the log."""
        code, log = failure_of(error).exit_code, self._log
        line = one_line(str(error)) if log is None else log.masked(str(error))
        self._say(line)
        if log is not None:
            log.tell("process.failed", error=line, exit_code=code)
        return code

    def crashed(self, error: BaseException) -> int:
        """A defect of ours."""
        if self._log is None:
            self._say(f"expected no error, found {one_line(said(error))}; please report this line")
            return CRASHED
        what = f"{type(error).__name__}: {error}"
        self._log.tell("process.defect", error=what, where=where(error), exit_code=CRASHED)
        self._say(f"expected no error, found {type(error).__name__}; please report its log line")
        return CRASHED

    def ended(self, code: int) -> None:
        """The last line; what is left is the interpreter's own end, which may hang.

        No signal changes that code any more: the interpreter gives them back to the system, which
        would end the process as if it had been killed.
        """
        for number in ending_signals():
            signal.signal(number, signal.SIG_IGN)
        if self._log is not None:
            self._log.tell("process.stopped", exit_code=code)
        self._watch.exit_within(self._bounds.close_s, code)

    def _say(self, line: str) -> None:
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(f"{self._service.name}: {line}\n")
            sys.stderr.flush()


def _route_defects(log: Log) -> None:
    """What fails in threads and destructors is a line of the log, not a traceback."""

    def in_thread(held: threading.ExceptHookArgs) -> None:
        log.tell("thread.failed", error=said(held.exc_value or held.exc_type()))

    def in_destructor(held: sys.UnraisableHookArgs) -> None:
        log.tell("destructor.failed", error=said(held.exc_value or held.exc_type()))

    threading.excepthook = in_thread
    sys.unraisablehook = in_destructor


def _starting() -> Health:
    return Health(good=False, reason="starting")
