"""An engine without a log, a loop or steps that run: what tests of recipes stand on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hitl_events.adapters.avro import AvroCodec
from hitl_events.domain.artefact import latest_by_name
from hitl_events.domain.events import Event, Source
from hitl_events.domain.evolve import fold
from hitl_events.domain.outcome import Outcome
from hitl_events.domain.state import RunState, next_due
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId
from hitl_events.engine.active import ActiveRun
from hitl_events.engine.engine import Engine
from hitl_events.engine.inputs import Due, Input, StepReport, StepStart, Submission, Wake
from hitl_events.engine.tools import Tools
from hitl_events.engine.turn import Turn
from hitl_events.ports import Answer, InboundRecord, RecipeBook
from hitl_events.testing.clock import ManualClock

RUN_ID = RunId("run-1")
SEED = bytes(range(16))
"""Of every run on a stage: its tokens, `run.random()` and `run.uuid()` are the same each time."""
_KEY = b"the token key of every stage, no secret"


def call() -> InboundRecord:
    """What stands for a call where it becomes a dead letter."""
    nowhere = Source(topic="call", partition=0, offset=0, timestamp_ms=0)
    return InboundRecord(kind="command", value=b"", channel="runtime", source=nowhere)


class StillWatch:
    """The port `Watch` for recipes that do not spin."""

    def begin(self) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class Stage:
    """Takes commands, reports and time; holds what would be in the log, and the steps asked for."""

    def __init__(self, book: RecipeBook, clock: ManualClock | None = None) -> None:
        self.clock = clock or ManualClock()
        self.keys = TokenKeys([_KEY])
        self.codec = AvroCodec()
        self.asked: list[StepStart] = []
        self._values: dict[RunId, list[bytes]] = {}
        self._answers: dict[int, Answer] = {}
        self._tools = Tools(codec=self.codec, keys=self.keys, recipes=book, watch=StillWatch())
        self._engine = Engine(self._tools)

    def __del__(self) -> None:
        # left to Python, one that awaits in a `finally` would be complained of in a later test
        self._engine.drop()

    # what happens

    def put(self, *inputs: Input) -> list[Event]:
        """Rule on the inputs; the events that they cause."""
        new: list[Event] = []
        waiting: Sequence[Input] = inputs
        while waiting:
            turn = self._take(waiting)
            for appended in turn.batch.events:
                self._values.setdefault(appended.event.run_id, []).append(appended.value)
                new.append(appended.event)
            self.asked += turn.starts
            for _, error in turn.faults:
                raise error
            for ticket, answer in turn.answers:
                self._answers[ticket] = answer
            self._engine.settle()
            waiting = turn.deferred
        return new

    def _take(self, inputs: Iterable[Input]) -> Turn:
        engine = self._engine
        claimed = [
            engine.claimed(each) if isinstance(each, Submission) else each for each in inputs
        ]
        missing = engine.missing(claimed)
        held = {run_id: self._values[run_id] for run_id in missing if run_id in self._values}
        engine.admit(held, self.codec)
        return engine.take(claimed, self.clock.now())

    def submit(self, submission: Submission) -> tuple[list[Event], Answer]:
        """A call of the owner; its events and its answer."""
        ticket = len(self._answers) + 1
        events = self.put(replace(submission, ticket=ticket))
        return events, self._answers[ticket]

    def report(self, report: StepReport) -> list[Event]:
        """The end of a step's attempt."""
        self.asked = [
            each
            for each in self.asked
            if (each.run_id, each.request.key) != (report.run_id, report.key)
        ]
        return self.put(report)

    def pass_time(self, run_id: RunId, length: timedelta | float) -> list[Event]:
        """Time goes by; the run's timers fire one after the other, each when it is due."""
        end = self.clock.now() + (
            length if isinstance(length, timedelta) else timedelta(seconds=length)
        )
        new: list[Event] = []
        while (due := self._next_due(run_id)) is not None and due <= end:
            self.clock.advance(max(due - self.clock.now(), timedelta(0)))
            fired = self.put(Due(run_id=run_id, until=self.clock.now()))
            if not fired:
                break
            new += fired
        self.clock.advance(end - self.clock.now())
        return new

    def _next_due(self, run_id: RunId) -> datetime | None:
        state = self.state(run_id)
        running = {each.request.key for each in self.asked if each.run_id == run_id}
        return None if state is None else next_due(state, running)

    def load(self, events: Iterable[Event]) -> list[Event]:
        """Put in a run that has a history, and wake it; what that causes.

        Recorded events stay as they are; those without an envelope get one, at the clock's time.
        """
        active: ActiveRun | None = None
        values: list[bytes] = []
        for event in events:
            active = active or ActiveRun(event.run_id or RUN_ID)
            if event.seq:
                values.append(self.codec.encode(event))
                active.restore(values[-1:], self.codec)
            else:
                active.record(replace(event), self.clock.now(), self._tools)
                values.append(active.unwritten[-1].value)
        if active is None or active.state is None:
            raise AssertionError("expected events of a run, found none")
        self._values[active.run_id] = values
        behind = active.state.recorded_at - self.clock.now()
        self.clock.advance(max(behind, timedelta(0)))
        return self.put(Wake(run_id=active.run_id))

    # what is there

    def events(self, run_id: RunId) -> tuple[Event, ...]:
        """All events of a run, as a log would give them back."""
        return tuple(self.codec.decode(value) for value in self._values.get(run_id, ()))

    def state(self, run_id: RunId) -> RunState | None:
        """The run as its events have it."""
        return fold(self.events(run_id))

    def outcome(self, run_id: RunId) -> Outcome:
        """The outcome, with the tokens of its open gates."""
        return Outcome(self.events(run_id), keys=self.keys)

    def tokens(self, run_id: RunId) -> dict[str, str]:
        """Name in the artefact -> token of each pause, open or not, in the order of the pauses.

        Under the key of the stage, also where the history was recorded under another.
        """
        state = self.state(run_id)
        if state is None:
            return {}
        pauses = ((*key, gate.paused.seq) for key, gate in state.gates.items())
        named = sorted(latest_by_name(pauses).items(), key=lambda each: int(each[1]))
        issued = ((name, self._issued(state, seq)) for name, seq in named)
        return {name: token for name, token in issued if token is not None}

    def _issued(self, state: RunState, seq: int) -> str | None:
        started = state.started
        return self.keys.issue(started.run_id, seq, started.seed, self.keys.kid)
