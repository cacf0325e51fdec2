"""The embedded set-up: recipes, one log and its owner, in one process.

Whoever holds the lock of the data directory takes the intake, runs steps and fires timers; others
put commands into the intake and wait for the answer, ready to take over when the owner goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from hitl_events.adapters.avro import AvroCodec
from hitl_events.adapters.blobs import FileBlobs
from hitl_events.adapters.calls import Caller, submission
from hitl_events.adapters.directory import DataDirectory
from hitl_events.adapters.memory import MemoryLog
from hitl_events.adapters.sqlite import SqliteLog
from hitl_events.adapters.system import SystemClock, SystemIds
from hitl_events.domain.diagnostics import Diagnostic
from hitl_events.domain.events import Event, RunStarted
from hitl_events.domain.evolve import fold
from hitl_events.domain.outcome import Outcome, Standing, refused, standing_of
from hitl_events.domain.refusals import Rejection
from hitl_events.domain.requests import INLINE_BYTES_MAX
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId, value
from hitl_events.engine.inputs import Submission
from hitl_events.engine.tools import Tools
from hitl_events.errors import HitlError, InvalidInput, UnknownRun
from hitl_events.ports import Answer, Blobs, Clock
from hitl_events.recipes.book import Book
from hitl_events.recipes.host import set_local_host
from hitl_events.recipes.plan import Plan, plan_of_events
from hitl_events.recipes.recipe import Recipe
from hitl_events.runtime.blobs import whole
from hitl_events.runtime.observer import Observer, Quiet
from hitl_events.runtime.partition import OwnedLog, Partition
from hitl_events.runtime.runner import DRAIN_S, Pace, Runner
from hitl_events.runtime.watchdog import Watchdog

Diagnostics: TypeAlias = Literal["default", "strict"]

_LEFT = Diagnostic(
    level="warn",
    code="recipe.unknown",
    message="the run's recipe is not registered here, so it was left as it is; name its module",
)
_MISSING = (
    "the run paused on a process-local log: it is gone when this process ends; give Runtime a path"
)
_REFUSED = (
    "expected a durable log under strict diagnostics, found a process-local one: nothing was run; "
    "give Runtime a path"
)


@value
class Setting:
    """What services and tests set beside the path; the defaults are those of a library user.

    `only_own`: a short-lived owner, which drives only the runs that it is asked for. `drain_s`:
    what the steps that run may take to end when it is closed, in seconds. User data longer than
    `inline_bytes_max` is kept in `blobs`, by default those of the data directory.
    """

    channel: str = "runtime"
    keys: TokenKeys | None = None
    only_own: bool = False
    clock: Clock = field(default_factory=SystemClock)
    observer: Observer = field(default_factory=Quiet)
    drain_s: float = DRAIN_S
    log: OwnedLog | None = None
    blobs: Blobs | None = None
    inline_bytes_max: int = INLINE_BYTES_MAX


class Runtime:
    """Runs recipes on one log. Made by `Runtime.open`; many may call it at once."""

    def __init__(
        self,
        log: OwnedLog,
        book: Book,
        keys: TokenKeys,
        setting: Setting,
        *,
        local: bool = False,
        strict: bool = False,
    ) -> None:
        self._log = log
        self._book = book
        self._keys = keys
        self._codec = AvroCodec()
        self._local = local
        self._strict = strict
        self._blobs = setting.blobs
        self._watch = Watchdog()
        self._caller = Caller(keys, SystemIds(), setting.clock, setting.channel)
        self._only: set[RunId] | None = set() if setting.only_own else None
        tools = Tools(
            codec=self._codec,
            keys=keys,
            recipes=book,
            watch=self._watch,
            only=self._only,
            strict=strict,
            blobs=setting.blobs,
            inline_bytes_max=None if setting.blobs is None else setting.inline_bytes_max,
        )
        pace = Pace(drain_s=setting.drain_s)
        self._partition = Partition(
            log,
            self._codec,
            lambda: Runner(log, tools, setting.clock, submission, setting.observer, pace),
        )

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        path: Path | str | None = None,
        *,
        recipes: Iterable[Recipe] = (),
        diagnostics: Diagnostics = "default",
        setting: Setting | None = None,
    ) -> AsyncGenerator[Runtime]:
        """A runtime on the data directory `path`, or on a log of this process alone (None).

        `diagnostics="strict"` turns warnings about requirements and recipes into errors.
        """
        if diagnostics not in get_args(Diagnostics):
            wanted = " or ".join(map(repr, get_args(Diagnostics)))
            raise InvalidInput(f"expected diagnostics of {wanted}, found {diagnostics!r}")
        used = setting or Setting()
        log, keys = _opened(path, used)
        if path is not None and used.blobs is None:
            used = replace(used, blobs=FileBlobs(DataDirectory(path).blobs_path))
        with ExitStack() as closing:
            if isinstance(log, SqliteLog):
                closing.callback(log.close)
            runtime = cls(
                log, Book(recipes), keys, used, local=path is None, strict=diagnostics == "strict"
            )
            closing.callback(runtime._watch.close)
            async with _kept(runtime._partition):
                yield runtime

    # commands

    async def run(
        self,
        recipe: Recipe | str,
        input: Any = None,  # noqa: A002 - the name that CONTRACT gives it
        run_id: str | None = None,
    ) -> Outcome:
        """Start a run, or take up the one with that id and input, until it pauses or ends."""
        if isinstance(recipe, Recipe):
            self._book.add(recipe)
            name, version = recipe.name, recipe.version
        else:
            name, version = recipe, None
        if self._local and self._strict:
            return Outcome(refusal=_missing_durability("error", _REFUSED))
        given = {"recipe": name, "version": version, "input": input, "run_id": run_id}
        asked, named = self._caller.call("StartRun", given)
        return await self._settle(named, asked, decision=False)

    async def decide(  # noqa: PLR0913 - the fields of a decision
        self,
        token: str,
        verdict: str,
        *,
        notes: str | None = None,
        data: Any = None,
        decision_id: str | None = None,
        decided_by: str | None = None,
        draft_digest: str | None = None,
    ) -> Outcome:
        """Bring a decision and drive its run on. A refused one leaves the run as it was."""
        given = {
            "token": token,
            "verdict": verdict,
            "notes": notes,
            "data": data,
            "decision_id": decision_id,
            "decided_by": decided_by,
            "draft_digest": draft_digest,
        }
        asked, named = self._caller.call("Decide", given)
        return await self._settle(named, asked, decision=True)

    async def cancel(self, run_id: str, reason: str = "", *, by: str | None = None) -> Outcome:
        """Cancel a run: its tokens die, what is to be undone is, then it ends."""
        given = {"run_id": run_id, "reason": reason, "cancelled_by": by}
        asked, named = self._caller.call("CancelRun", given)
        return await self._settle(named, asked, decision=False)

    async def unblock(self, run_id: str, *, by: str | None = None) -> Outcome:
        """Replay a blocked run against the code of now and let it go on if that fits."""
        asked, named = self._caller.call("UnblockRun", {"run_id": run_id, "by": by})
        return await self._settle(named, asked, decision=False)

    async def _settle(self, run_id: RunId | None, asked: Submission, *, decision: bool) -> Outcome:
        if self._only is not None and run_id is not None:
            self._only.add(run_id)
        answer, rest = await self._partition.ask(asked)
        if answer.reason is not None:
            return await self._refused(answer, decision=decision)
        if rest is None:
            events = await self.history(answer.run_id) if answer.run_id is not None else ()
            return self._outcome(events, _standing(events))
        return self._outcome(*rest)

    async def _refused(self, answer: Answer, *, decision: bool) -> Outcome:
        events = await self.history(answer.run_id) if answer.run_id is not None else ()
        rejection = Rejection(
            reason=answer.reason or "engine_error", message=answer.message, winner=answer.winner
        )
        return refused(events, rejection, decision=decision)

    # reading

    async def outcome(self, run_id: str) -> Outcome:
        """The outcome of a run as of now; an error outcome where there is no such run."""
        events = await self.history(RunId(run_id))
        if events:
            return self._outcome(events, _standing(events))
        message = str(UnknownRun(run_id))
        return refused((), Rejection(reason="unknown_run", message=message), decision=False)

    async def history(self, run_id: RunId) -> Sequence[Event]:
        """All events of a run, none where there is no such run."""
        values = (await self._log.load([run_id])).get(run_id, ())
        return await whole(values, self._codec, self._blobs)

    async def events(self, run_id: str) -> AsyncIterator[Event]:
        """The events of a run, in order."""
        for event in await self.history(RunId(run_id)):
            yield event

    def plan_of(self, run_id: str) -> Plan:
        """The recorded steps and gates of a run."""
        reading = self.history(RunId(run_id))
        try:
            reading.send(None)  # the embedded stores read without waiting
        except StopIteration as done:
            return plan_of_events(done.value)
        raise HitlError("expected a store that reads without waiting, found one that waits")

    def _outcome(self, events: Sequence[Event], standing: Standing) -> Outcome:
        extra = [_changed(seq, message) for seq, message in standing.changed]
        if standing.status == "paused" and self._local:
            extra.append(_missing_durability("warn", _MISSING))
        elif standing.status == "running" and self._lacks_recipe(events[0]):
            extra.append(_LEFT)
        return Outcome(events, keys=self._keys, extra=extra, standing=standing)

    def _lacks_recipe(self, first: Event) -> bool:
        return (
            isinstance(first, RunStarted) and self._book.find(first.recipe, first.version) is None
        )


def _standing(events: Sequence[Event]) -> Standing:
    run = fold(events)
    assert run is not None
    return standing_of(run)


def _opened(path: Path | str | None, setting: Setting) -> tuple[OwnedLog, TokenKeys]:
    if setting.log is not None:
        return setting.log, setting.keys or TokenKeys([SystemIds().seed() * 2])
    if path is None:
        return MemoryLog(), setting.keys or TokenKeys([SystemIds().seed() * 2])
    directory = DataDirectory(path)
    log = SqliteLog.open(directory, clock=setting.clock)
    return log, setting.keys or TokenKeys([directory.token_key()])


def _missing_durability(level: str, message: str) -> Diagnostic:
    return Diagnostic(level=level, code="adapter.missing_durability", message=message)


def _changed(seq: int, message: str) -> Diagnostic:
    return Diagnostic(
        level="warn",
        code="recipe.changed_arguments",
        message=f"{message} from the code of now than at event {seq}; its output stays as recorded",
        data={"at_seq": seq},
    )


@asynccontextmanager
async def _kept(partition: Partition) -> AsyncGenerator[None]:
    """Own the partition as long as it can be had; an error inside comes out as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(partition.keep())
            try:
                yield
            finally:
                partition.close()
    except BaseExceptionGroup as group_error:
        raise _single(group_error) from None


def _single(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What happened inside our task group, without the group around it where that was one thing."""
    return group.exceptions[0] if len(group.exceptions) == 1 else group


class LocalRuntime:
    """A process-local log for a handle's own `run` and `resume`.

    The log outlives each call. The runtime on it is shared by calls at the same time and closed by
    the last of them, so that nothing of an event loop is kept (tests and scripts call `asyncio.run`
    more than once).
    """

    def __init__(self, handle: Recipe) -> None:
        self._handle = handle
        self._log = MemoryLog()
        self._keys = TokenKeys([SystemIds().seed() * 2])
        self._users = 0
        self._ready: asyncio.Future[Runtime] | None = None
        self._unused = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[Runtime]:
        while self._keeper is not None and self._users == 0:
            await asyncio.wait([self._keeper])  # it is being closed
        self._users += 1
        if self._keeper is None:
            # a task of its own: a runtime ends in the task that began it, which no call can be
            self._ready, self._unused = asyncio.get_running_loop().create_future(), asyncio.Event()
            self._keeper = asyncio.create_task(self._keep(self._ready, self._unused))
        keeper, ready = self._keeper, self._ready
        assert ready is not None
        try:
            yield await asyncio.shield(ready)
        finally:
            self._users -= 1
            if self._users == 0:
                self._unused.set()
                await keeper

    async def _keep(self, ready: asyncio.Future[Runtime], unused: asyncio.Event) -> None:
        # what runs at the end is of calls that were given up
        setting = Setting(log=self._log, keys=self._keys, drain_s=0)
        try:
            async with Runtime.open(None, recipes=[self._handle], setting=setting) as runtime:
                ready.set_result(runtime)
                await unused.wait()
        except HitlError as error:
            if ready.done():
                raise
            ready.set_exception(error)
        finally:
            self._keeper = None

    async def run(self, recipe: Any, input_: Any, /, *, run_id: str | None = None) -> Outcome:
        """`Runtime.run` on the process-local log."""
        async with self._open() as runtime:
            return await runtime.run(recipe, input_, run_id)

    async def decide(self, token: str, verdict: str, **fields: Any) -> Outcome:
        """`Runtime.decide` on the process-local log."""
        async with self._open() as runtime:
            return await runtime.decide(token, verdict, **fields)

    def plan_of(self, run_id: str) -> Plan:
        """The recorded steps and gates of a run."""
        keys, log = self._keys, self._log
        return Runtime(log, Book([self._handle]), keys, Setting(), local=True).plan_of(run_id)


set_local_host(LocalRuntime)
