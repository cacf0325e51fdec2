"""The engine with a log, a clock and steps that run at once: all of it in the test's own hands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hitl_events.adapters.avro import AvroCodec
from hitl_events.domain import canonical
from hitl_events.domain.commands import (
    CancelRun,
    Command,
    Decide,
    Origin,
    StartRun,
    UnblockRun,
)
from hitl_events.domain.content import content_digest
from hitl_events.domain.events import (
    DecisionReceived,
    DecisionRejected,
    Event,
    GateClosed,
    GatePaused,
    RunBlocked,
    RunFailed,
    RunStarted,
    Source,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from hitl_events.domain.evolve import fold
from hitl_events.domain.outcome import Outcome, canonical_outcome
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId
from hitl_events.engine.engine import CACHED_RUNS_MAX, Engine
from hitl_events.engine.inputs import Due, Input, StepReport, StepStart, Submission, Wake
from hitl_events.engine.tools import Tools
from hitl_events.engine.turn import Turn
from hitl_events.errors import HitlError
from hitl_events.ports import (
    Answer,
    DeadLetter,
    InboundRecord,
    RecipeDriver,
    RunPosition,
    Watch,
)
from hitl_events.recipes.book import Book
from hitl_events.recipes.recipe import Recipe
from hitl_events.runtime.executor import Executor
from hitl_events.testing import ManualClock

START = datetime(2026, 1, 1, tzinfo=UTC)
SEED = bytes(range(16))
RUN = RunId("run")


class Faulty(AvroCodec):
    """A codec with a defect: what `fails` says can not be encoded."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: Callable[[Event], bool] = lambda _: False

    def encode(self, event: Event) -> bytes:
        """The bytes, or an error that nobody foresaw."""
        if self.fails(event):
            raise ZeroDivisionError("a defect")
        return super().encode(event)


class Unwatched:
    """A watch that lets recipes compute as long as they like."""

    def begin(self) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class World:
    """One partition. `held` are the steps that the engine has started and that have not run."""

    def __init__(
        self,
        *recipes: Recipe,
        strict: bool = False,
        only: set[RunId] | None = None,
        watch: Watch | None = None,
        cached_runs_max: int = CACHED_RUNS_MAX,
        place: Callable[[RunId], int] | None = None,
    ) -> None:
        self.clock = ManualClock(START)
        self.keys = TokenKeys([b"k" * 32])
        self.codec = Faulty()
        self.book = Book(recipes)
        self.log: dict[RunId, list[bytes]] = {}
        self.positions: dict[RunId, RunPosition] = {}
        self.dead: list[DeadLetter] = []
        self.answers: list[Answer] = []
        self.held: list[StepStart] = []
        self._reports: list[StepReport] = []
        self._settings: dict[str, Any] = {
            "strict": strict,
            "only": only,
            "watch": watch or Unwatched(),
            "place": place,
        }
        self._cached_runs_max = cached_runs_max
        self._offset = 0
        self._executor = Executor(self.clock, self._reports.append, _raised)
        self.engine = self._new_engine()

    def _new_engine(self) -> Engine:
        tools = Tools(codec=self.codec, keys=self.keys, recipes=self.book, **self._settings)
        return Engine(tools, cached_runs_max=self._cached_runs_max)

    # time

    @property
    def time(self) -> datetime:
        """The time of the world."""
        return self.clock.now()

    def wait(self, seconds: float) -> None:
        """Let time pass and fire the timers that are due then."""
        self.clock.advance(seconds)
        due = [at.run_id for at in self.positions.values() if at.due and at.due <= self.time]
        self.put(*(Due(run_id=run_id, until=self.time) for run_id in due))

    # one turn

    def put(self, *inputs: Input, commit: bool = True) -> Turn:
        """Give the engine one batch and write what comes of it."""
        entries = [self.engine.claimed(e) if isinstance(e, Submission) else e for e in inputs]
        missing = self.engine.missing(entries)
        self.engine.admit({r: self.log[r] for r in missing if r in self.log}, self.codec)
        turn = self.engine.take(entries, self.time)
        if not commit:
            self.engine.drop()
            return turn
        for appended in turn.batch.events:
            self.log.setdefault(appended.event.run_id, []).append(appended.value)
        self.positions |= {position.run_id: position for position in turn.batch.positions}
        self.dead += turn.batch.dead_letters
        self.answers += [answer for _, answer in turn.batch.settled]
        self.held += turn.starts
        self.engine.settle()
        if turn.deferred:
            self.put(*turn.deferred)
        return turn

    def submission(self, command: Command) -> Submission:
        """A command as it comes out of the intake."""
        self._offset += 1
        source = Source(topic="intake", partition=0, offset=self._offset, timestamp_ms=0)
        record = InboundRecord(kind="command", value=b"{}", channel="runtime", source=source)
        return Submission(command=command, record=lambda: record, settles=self._offset)

    def ask(self, command: Command) -> Answer:
        """Put one command and give its answer."""
        self.put(self.submission(command))
        return self.answers[-1]

    # commands

    def origin(self, arrived_at: datetime | None = None) -> Origin:
        """Where a command comes from: here, now."""
        return Origin(channel="runtime", arrived_at=arrived_at or self.time)

    def starting(
        self, recipe: str, input_: Any = None, run_id: str = RUN, version: str | None = None
    ) -> StartRun:
        """The command that starts a run."""
        return StartRun(
            recipe=recipe,
            version=version,
            input=canonical.dumps(input_),
            run_id=RunId(run_id),
            command_id=f"start {run_id}",
            seed=SEED,
            origin=self.origin(),
        )

    def deciding(
        self, verdict: str = "approve", gate: str | None = None, run_id: str = RUN, **given: Any
    ) -> Decide:
        """A decision with the token of an open gate (the first, if none is named)."""
        origin = self.origin(given.pop("arrived_at", None))
        said: dict[str, Any] = {"verdict": verdict}
        said["token"] = given.pop("token", None) or self.token(gate, run_id)
        said |= {name: given.pop(name, None) for name in ("notes", "decided_by", "draft_digest")}
        data = given.pop("data", None)
        said["data"] = None if data is None else canonical.dumps(data)
        self._offset += 1
        decision_id = given.pop("decision_id", f"d{self._offset}")
        content = content_digest(**said)
        return Decide(decision_id=decision_id, content_digest=content, origin=origin, **said)

    def start(self, recipe: str, input_: Any = None, run_id: str = RUN, **given: Any) -> Outcome:
        """Start a run and let it go as far as it can."""
        self.ask(self.starting(recipe, input_, run_id, **given))
        return self.settle(run_id)

    def decide(
        self, verdict: str = "approve", gate: str | None = None, run_id: str = RUN, **given: Any
    ) -> Outcome:
        """Decide and let the run go as far as it can."""
        self.ask(self.deciding(verdict, gate, run_id, **given))
        return self.settle(run_id)

    def cancel(self, run_id: str = RUN) -> Outcome:
        """Cancel and let the run go as far as it can."""
        named = RunId(run_id)
        self.ask(CancelRun(run_id=named, reason="why", command_id="x", origin=self.origin()))
        return self.settle(run_id)

    def unblock(self, run_id: str = RUN) -> Answer:
        """Unblock a run."""
        return self.ask(UnblockRun(run_id=RunId(run_id), command_id="u", origin=self.origin()))

    # steps

    def settle(self, run_id: str = RUN) -> Outcome:
        """Run every step that was started, and those that follow, until none is left."""
        while self.held:
            self.put(*self.run_steps())
        return self.outcome(run_id)

    def run_steps(self, *names: str) -> list[StepReport]:
        """Run the started steps (of these names) and give their reports to nobody yet."""
        chosen = [s for s in self.held if not names or s.request.key[1] in names]
        self.held = [start for start in self.held if start not in chosen]
        began_s = self.clock.monotonic_s()
        for start in chosen:
            asyncio.run(self._executor.run(start, began_s))
        reports, self._reports[:] = list(self._reports), []
        return reports

    def finish(self, *names: str) -> None:
        """Run these steps and put each report as a batch of its own."""
        for name in names:
            for report in self.run_steps(name):
                self.put(report)

    # processes

    def restart(self, *recipes: Recipe, ask_after_s: float = 0) -> None:
        """A new process with the same log: what ran is gone, busy runs are taken up again.

        `ask_after_s`: how long it asks nobody about the once steps of the process before.
        """
        if recipes:
            self.book = Book(recipes)
        self._settings["ask_from"] = self.time + timedelta(seconds=ask_after_s)
        self.held = []
        self.engine = self._new_engine()
        self.put(*(Wake(run_id=at.run_id) for at in self.positions.values() if at.busy))

    def wake(self, *run_ids: RunId) -> None:
        """Take runs up again."""
        self.put(*(Wake(run_id=run_id) for run_id in run_ids))

    def only(self, *run_ids: RunId) -> None:
        """From the next restart on, processes drive these runs alone."""
        self._settings["only"] = set(run_ids)

    def cut(self, end: int, run_id: str = RUN) -> None:
        """Crash when only the first events of the run were written; then it is taken up again."""
        del self.log[RunId(run_id)][end:]
        self.held = []
        self.engine = self._new_engine()
        self.put(Wake(run_id=RunId(run_id)))

    # looking

    def events(self, run_id: str = RUN) -> list[Event]:
        """The events of a run, decoded from what was written."""
        return [self.codec.decode(value) for value in self.log.get(RunId(run_id), [])]

    def outcome(self, run_id: str = RUN) -> Outcome:
        """The outcome of a run from what was written."""
        return Outcome(self.events(run_id), keys=self.keys)

    def state(self, run_id: str = RUN) -> bytes:
        """State, artefact and trace in bytes."""
        return canonical_outcome(self.events(run_id))

    def token(self, gate: str | None = None, run_id: str = RUN) -> str:
        """The token of an open gate, also while the run is running or blocked."""
        run = fold(self.events(run_id))
        assert run is not None
        open_gates = [held.paused for held in run.pending.values()]
        paused = next(one for one in open_gates if gate in (None, one.gate))
        token = self.keys.issue(run_id, paused.seq, SEED, paused.token_kid)
        assert token is not None
        return token

    def replayed(self, run_id: str = RUN) -> RecipeDriver:
        """A fresh driver that was given the whole history; raises where the code does not fit."""
        events = self.events(run_id)
        started = events[0]
        assert isinstance(started, RunStarted)
        found = self.book.find(started.recipe, started.version)
        assert found is not None
        driver = found.driver(started, Unwatched())
        for event in events:
            driver.deliver(event)
        return driver

    def story(self, run_id: str = RUN) -> list[str]:
        """The events in few words."""
        return story(self.events(run_id))


def story(events: Sequence[Event]) -> list[str]:
    """Events in few words: the type, then what it is about."""
    return [" ".join([type(event).__name__, *_about(event)]) for event in events]


def _about(event: Event) -> list[str]:
    match event:
        case StepStarted() | StepCompleted() | StepFailed():
            undo = ["undo"] if event.kind == "undo" else []
            times = [str(event.occurrence)] if event.occurrence > 1 else []
            again = ["again"] if isinstance(event, StepFailed) and event.retry_at else []
            return [*undo, event.step, *times, *again]
        case GatePaused() | DecisionReceived():
            times = [str(event.occurrence)] if event.occurrence > 1 else []
            verdict = [event.verdict] if isinstance(event, DecisionReceived) else []
            return [event.gate, *times, *verdict]
        case GateClosed():
            return [event.gate, event.reason]
        case DecisionRejected():
            return [event.reason]
        case RunFailed() | RunBlocked():
            return [event.code]
        case _:
            return []


def _raised(error: HitlError) -> None:
    raise error
