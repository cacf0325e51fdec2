"""Given a history, when something happens, then: tests of recipes without a log, a loop or I/O.

    given(review).started("a text").completed("write", "a draft").paused("legal").when(
        decision("approve", decided_by="ann")
    ).then(asks_step="publish")

The engine and the driver are the real ones; time stands still until it is told to pass. Steps do
not run: a test says what comes of them. A history may also be recorded events:
`given(*events, recipe=recipe)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import TypeAlias, Unpack

from hitl_events.adapters.calls import Caller, Name
from hitl_events.domain.commands import CancelRun, Decide, StartRun, UnblockRun
from hitl_events.domain.events import Event
from hitl_events.domain.outcome import Outcome
from hitl_events.domain.values import RunId, value
from hitl_events.engine.inputs import StepReport, StepStart, Submission
from hitl_events.ports import Answer
from hitl_events.recipes.book import Book
from hitl_events.recipes.recipe import Recipe
from hitl_events.testing import reports
from hitl_events.testing.clock import ManualClock
from hitl_events.testing.expectations import Expected, Facts, Found, check_events, check_facts
from hitl_events.testing.ids import CountedIds
from hitl_events.testing.stage import RUN_ID, SEED, Stage, call


@value
class Chosen:
    """A decision to bring: at the open gate, or at the one named (which may have closed)."""

    gate: str | None
    fields: dict[str, object]


@value
class Ended:
    """An attempt of a step that is asked for has ended."""

    step: str
    kind: str
    report: Callable[[StepStart], StepReport]


@value
class Cancelled:
    """Somebody cancels the run."""

    reason: str


Happening: TypeAlias = (
    Chosen | Ended | Cancelled | timedelta | StartRun | Decide | CancelRun | UnblockRun
)


def decision(verdict: str, *, gate: str | None = None, **fields: object) -> Chosen:
    """A decision; `fields` are those of CONTRACT (`notes`, `data`, `decided_by`, `token`, ...)."""
    return Chosen(gate=gate, fields={"verdict": verdict, **fields})


def step_completed(step: str, output: object = None, *, undo: bool = False) -> Ended:
    """A step that the recipe asks for gives `output`."""
    return Ended(step=step, kind=_kind(undo), report=lambda start: reports.completed(start, output))


def step_failed(step: str, error: Exception, *, undo: bool = False) -> Ended:
    """A step that the recipe asks for raises `error`; its `Retry` says what follows."""
    raised = _exception(error)
    return Ended(step=step, kind=_kind(undo), report=lambda start: reports.failed(start, raised))


def step_timed_out(step: str, *, undo: bool = False) -> Ended:
    """A step that the recipe asks for takes too long."""
    return Ended(step=step, kind=_kind(undo), report=reports.timed_out)


def cancellation(reason: str = "") -> Cancelled:
    """Somebody cancels the run."""
    return Cancelled(reason=reason)


def given(*history: Recipe | Event | Iterable[Event], recipe: Recipe | None = None) -> Scenario:
    """A scenario of one run: of a recipe that has not started, or with the events it has."""
    handles = [each for each in history if isinstance(each, Recipe)]
    events: list[Event] = []
    for each in history:
        if isinstance(each, Iterable):
            events += each
        elif not isinstance(each, Recipe):
            events.append(each)
    if recipe is not None:
        handles.append(recipe)
    if not handles:
        raise TypeError("expected a recipe: given(recipe), or given(*events, recipe=recipe)")
    return Scenario(handles, events)


class Scenario:
    """One run under test. Every method but the properties returns it, so that a test reads on."""

    def __init__(self, handles: Sequence[Recipe], history: Sequence[Event] = ()) -> None:
        self.clock = ManualClock()
        self._recipe = handles[0]
        self._stage = Stage(Book(handles), self.clock)
        self._caller = Caller(self._stage.keys, CountedIds(lambda: SEED), self.clock, "runtime")
        self._new: list[Event] = []
        self._answer: Answer | None = None
        self.run_id = history[0].run_id or RUN_ID if history else RUN_ID
        if history:
            self._new = self._stage.load(history)

    # given

    def started(
        self,
        input: object = None,  # noqa: A002 - the name that CONTRACT gives it
        *,
        run_id: str = RUN_ID,
    ) -> Scenario:
        """The run was started with this input."""
        self.run_id = RunId(run_id)
        fields = {"recipe": self._recipe.name, "version": self._recipe.version}
        self._submit("StartRun", {**fields, "input": input, "run_id": run_id})
        return self._accepted()

    def completed(self, step: str, output: object = None, *, undo: bool = False) -> Scenario:
        """A step that the recipe asks for gave `output`."""
        return self.when(step_completed(step, output, undo=undo))

    def failed(self, step: str, error: Exception, *, undo: bool = False) -> Scenario:
        """A step that the recipe asks for raised `error`."""
        return self.when(step_failed(step, error, undo=undo))

    def paused(self, *gates: str) -> Scenario:
        """These gates are open, and no other."""
        return self.then(paused=gates)

    def decided(self, verdict: str, *, gate: str | None = None, **fields: object) -> Scenario:
        """A decision was received."""
        self.when(decision(verdict, gate=gate, **fields))
        return self._accepted()

    def passed(self, length: timedelta | float) -> Scenario:
        """Time has passed: a `timedelta`, or seconds."""
        return self.when(length if isinstance(length, timedelta) else timedelta(seconds=length))

    # when

    def when(self, *happenings: Happening) -> Scenario:
        """These happen, one after the other: `then` looks at the events of all of them."""
        self._new, self._answer = [], None
        for happening in happenings:
            self._happen(happening)
        return self

    def _happen(self, happening: object) -> None:
        match happening:
            case timedelta():
                self._new += self._stage.pass_time(self.run_id, happening)
            case Chosen():
                fields = {"token": self._token(happening.gate), **happening.fields}
                self._submit("Decide", fields)
            case Cancelled():
                self._submit("CancelRun", {"run_id": self.run_id, "reason": happening.reason})
            case Ended():
                self._new += self._stage.report(happening.report(self._asked(happening)))
            case StartRun() | Decide() | CancelRun() | UnblockRun():
                self._bring(Submission(command=happening, record=call))
            case _:
                wanted = "expected decision(...), step_completed(...), a timedelta or the like"
                raise TypeError(f"{wanted}, found {happening!r}")

    # then

    def then(self, *events: Expected, **facts: Unpack[Facts]) -> Scenario:
        """What happened caused exactly these events, in this order, and the run is as `facts` say.

        An event is expected by its class, by `event_like(class, field=value, ...)` or by a
        predicate. `AssertionError` says what was expected, what was found, and shows the trace.
        """
        if not events and not facts:
            raise TypeError("expected events or facts, found neither: then(paused='gate')")
        found = Found(
            outcome=self.outcome,
            new=self._new,
            asked=[each.request.key for each in self._stage.asked if each.run_id == self.run_id],
            answer=self._answer,
        )
        if events:
            check_events(events, found)
        check_facts(facts, found)
        return self

    # what is there

    @property
    def outcome(self) -> Outcome:
        """The run's outcome as of now, with its tokens."""
        return self._stage.outcome(self.run_id)

    @property
    def events(self) -> tuple[Event, ...]:
        """All events of the run, as a log would give them back."""
        return self._stage.events(self.run_id)

    @property
    def asked(self) -> list[tuple[str, str]]:
        """The steps asked for and not ended: kind (`step`, `undo`) and name."""
        return [
            (each.request.key[0], each.request.key[1])
            for each in self._stage.asked
            if each.run_id == self.run_id
        ]

    def _submit(self, name: Name, fields: dict[str, object]) -> None:
        submission, _ = self._caller.call(name, fields)
        self._bring(submission)

    def _bring(self, submission: Submission) -> None:
        events, self._answer = self._stage.submit(submission)
        self._new += events

    def _accepted(self) -> Scenario:
        answer = self._answer
        if answer is not None and answer.reason is not None:
            message = f"expected it to be accepted, found {answer.reason}: {answer.message}"
            raise AssertionError(message)
        return self

    def _token(self, gate: str | None) -> str:
        """Of the only open gate (of the last one, where none is), or of the one that is named."""
        tokens = self._stage.tokens(self.run_id)
        gates = self.outcome.artefact.get("gates", {})
        opened = [name for name in tokens if gates[name]["status"] == "pending"]
        if gate is None and len(opened) <= 1:
            gate = next(iter([*opened, *reversed(tokens)]), None)
        if gate not in tokens:
            wanted = "one open gate" if gate is None else f"gate {gate!r}"
            found = ", ".join(opened) or "none"
            raise AssertionError(f"expected {wanted}, found {found}; name it with gate=")
        return tokens[gate]

    def _asked(self, ended: Ended) -> StepStart:
        for start in self._stage.asked:
            if start.run_id == self.run_id and start.request.key[:2] == (ended.kind, ended.step):
                return start
        asked = ", ".join(_step(kind, name) for kind, name in self.asked) or "none"
        wanted = _step(ended.kind, ended.step)
        raise AssertionError(f"expected the step {wanted} to be asked for, found {asked}")


def _exception(raised: object) -> BaseException:
    if not isinstance(raised, BaseException):
        raise TypeError(f"expected an exception, as OSError('no route'), found {raised!r}")
    return raised


def _step(kind: str, name: str) -> str:
    return f"'undo {name}'" if kind == "undo" else repr(name)


def _kind(undo: bool) -> str:
    return "undo" if undo else "step"
