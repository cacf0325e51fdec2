"""Drives one run's recipe by its events: recorded results go in, requests come out. No I/O.

Live and on replay the same calls are made with the same events in the same order, so what comes
out is the same. The first event that the recipe does not fit stops it (`RecipeStopped`,
recipe.diverged).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

from hitl_events.domain.events import (
    CancelRequested,
    DecisionReceived,
    Event,
    GateClosed,
    GatePaused,
    RunBlocked,
    RunCancelled,
    RunCompleted,
    RunFailed,
    RunStarted,
    RunUnblocked,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from hitl_events.domain.reconcile import RECONCILE_KIND
from hitl_events.domain.requests import Request, RunEnd, Withdrawal
from hitl_events.domain.values import RunId
from hitl_events.errors import GateExpired, InvalidInput, RecipeStopped, StepError
from hitl_events.ports import Watch
from hitl_events.recipes import values
from hitl_events.recipes.branches import Branches, WaitKey
from hitl_events.recipes.calls import GateCall, Signal, StepCall, decision_of
from hitl_events.recipes.endings import ending_of, same_end
from hitl_events.recipes.run import Run, StepDefaults
from hitl_events.recipes.step import StepSpec

_NAMED_MAX = 100
"""Of what a recipe waits for, in the sentence about a divergence: it is an event with 200 each."""


class Definition(Protocol):
    """What the driver needs of a recipe."""

    name: str
    version: str
    step_defaults: StepDefaults
    undo_on: frozenset[str]

    @property
    def input_type(self) -> Any:
        """The type of the input."""
        ...

    def start(self, run: Run, input_: Any) -> Coroutine[Any, Any, Any]:
        """The coroutine of the body."""
        ...


class Driver:
    """One run of one recipe. `ending` is what it came to.

    `waits`: (kind, name, occurrence) -> the call that has no result yet.
    """

    __slots__ = (
        "_blocked",
        "_branches",
        "_cancelling",
        "_counts",
        "_definition",
        "_denied",
        "_done",
        "_ending_told",
        "_then_ends",
        "_undoing",
        "ending",
        "forgotten",
        "now",
        "run_id",
        "seed",
        "step_defaults",
        "waits",
        "warnings",
    )

    def __init__(self, definition: Definition, started: RunStarted, watch: Watch) -> None:
        self.run_id: RunId = started.run_id
        self.seed = started.seed
        self.now: datetime = started.recorded_at
        self.step_defaults = definition.step_defaults
        self.ending: RunEnd | None = None
        self._ending_told = False
        self.warnings: tuple[tuple[int, str], ...] = ()
        self._definition = definition
        self._counts: dict[tuple[str, str], int] = {}
        self._done: list[tuple[StepCall[Any], bytes]] = []
        self._denied = False
        self._cancelling: CancelRequested | None = None
        self._undoing = False
        self._blocked = False
        self._then_ends: RunEnd | None = None
        self._branches = Branches(watch, self)
        self.waits = self._branches.waits
        self.forgotten = self._branches.forgotten

    def requests(self) -> list[Request]:
        """What the recipe asks for since the last call and has not got, in the order of asking."""
        branches, waits = self._branches, self.waits
        asked: list[Request] = []
        if branches.fresh:
            asked += [waits[key][0].request for key in branches.fresh if key in waits]
            branches.fresh.clear()
        if branches.withdrawn:
            asked += [Withdrawal(key=key[1:]) for key in branches.withdrawn if key in waits]
            branches.withdrawn = None
        if self.ending is not None and not self._ending_told:
            self._ending_told = True
            asked.append(self.ending)
        return asked

    def data_problem(self, kind: str, name: str, occurrence: int, data: bytes) -> str | None:
        """Why data for a gate (kind `gate`), or an output for a step, does not fit its type."""
        held = self.waits.get((kind, name, occurrence))
        if held is None:
            return None
        call = held[0]
        annotation = call.returns if isinstance(call, StepCall) else call.data
        try:
            values.load(data, annotation)
        except InvalidInput as error:
            return str(error)
        return None

    def deliver(self, event: Event) -> None:
        """One recorded event; `RecipeStopped` if the recipe does not fit it."""
        match event:
            case RunStarted():
                self._start(event)
            case StepCompleted():
                self._step_completed(event)
            case StepFailed():
                self._step_failed(event)
            case StepStarted():
                _ = self._expect((event.kind, event.step, event.occurrence), event)
            case GatePaused() if event.pause_kind != RECONCILE_KIND:
                self._gate_paused(event)
            case DecisionReceived() if event.resolution is not None:
                self._decided(event)
            case GateClosed():
                self._gate_closed(event)
            case CancelRequested():
                self._cancel(event)
            case RunCompleted() | RunFailed() | RunCancelled():
                self._check_ending(event)
            case RunBlocked():
                self._blocked = True
            case RunUnblocked():
                self._blocked = False
            case _:
                pass  # refusals and reconcile gates are no matter of the recipe

    def set(self, signal: Signal) -> None:
        """Let the branches that wait for a signal go on."""
        self._branches.set(signal)

    def close(self) -> None:
        """Forget the coroutines; the history can rebuild them."""
        self._branches.close()
        self._branches.owner = None  # no cycle is left for the garbage collector

    def _start(self, event: RunStarted) -> None:
        try:
            given = values.load(event.input, self._definition.input_type)
        except InvalidInput as error:
            message = f"the recorded input does not fit the recipe any more: {error}"
            raise self._diverged(event, "the recorded input", str(error), message) from None
        self._branches.start(self._definition.start(Run(self), given))

    def occurrence(self, kind: str, name: str) -> int:
        """Count a use of a name."""
        count = self._counts[kind, name] = self._counts.get((kind, name), 0) + 1
        return count

    # results

    def _step_completed(self, event: StepCompleted) -> None:
        key = (event.kind, event.step, event.occurrence)
        call = self._expect(key, event)
        try:
            result = values.load(event.output, call.returns)
        except InvalidInput as error:
            found = f"an output that does not fit: {error}"
            raise self._diverged(event, f"the type of step {event.step!r}", found) from None
        if event.kind == "step" and call.spec.undo is not None:
            self._done.append((call, event.output))
        self._deliver(event, key, result, None)

    def _step_failed(self, event: StepFailed) -> None:
        key = (event.kind, event.step, event.occurrence)
        _ = self._expect(key, event)
        if event.retry_at is None:
            error = StepError(event.step, event.error, event.message)
            self._deliver(event, key, None, error)

    def _expect(
        self, key: WaitKey, event: StepStarted | StepCompleted | StepFailed
    ) -> StepCall[Any]:
        if event.kind == "undo":
            self.begin_undo()
        held = self.waits.get(key)
        if held is None or not isinstance(held[0], StepCall):
            raise self._unexpected(event, key)
        if held[0].request.args_digest != event.args_digest:
            message = f"step {event.step!r} got other arguments"
            self.warnings = (*self.warnings, (event.seq, message))
        return held[0]

    def _gate_paused(self, event: GatePaused) -> None:
        key = ("gate", event.gate, event.occurrence)
        held = self.waits.get(key)
        if held is None or not isinstance(held[0], GateCall):
            raise self._unexpected(event, key)
        if held[0].request.draft_digest != event.draft_digest:
            expected = f"gate {event.gate!r} with the draft {held[0].request.draft_digest.hex()}"
            found = f"the draft {event.draft_digest.hex()}"
            raise self._diverged(event, expected, found)

    def _decided(self, event: DecisionReceived) -> None:
        key = ("gate", event.gate, event.occurrence)
        held = self.waits.get(key)
        if held is None:
            return  # a reconcile gate: its answer comes as an event of the step
        call = held[0]
        self._denied = event.resolution == "deny"
        try:
            annotation = call.data if isinstance(call, GateCall) else None
            data = None if event.data is None else values.load(event.data, annotation)
        except InvalidInput as error:
            found = f"data that does not fit: {error}"
            raise self._diverged(event, f"the data type of gate {event.gate!r}", found) from None
        decision = decision_of(event, data)
        self._deliver(event, key, decision, None)

    def _gate_closed(self, event: GateClosed) -> None:
        key = ("gate", event.gate, event.occurrence)
        if key not in self.waits:
            return
        if event.reason == "expired":
            self._deliver(event, key, None, GateExpired(event.gate))
        else:
            self.now = event.recorded_at
            self._branches.drop(key)

    def _deliver(self, event: Event, key: WaitKey, result: Any, error: Exception | None) -> None:
        self.now = event.recorded_at
        self._branches.settle(key, result, error)

    # ends

    def ended(self, result: Any, error: Exception | None) -> None:
        """The body is over; what it leaves undone may have to be taken back first."""
        if self._then_ends is not None:
            self.ending = self._then_ends  # a step that could not be undone is in the trace
            return
        ending = ending_of(result, error)
        undo_on = self._definition.undo_on
        failed = isinstance(ending, RunFailed) and "failed" in undo_on
        # a recipe may answer a denial with an error: it was denied all the same
        if self._done and (failed or (self._denied and "denied" in undo_on)):
            self._undo_then(ending)
        else:
            self.ending = ending

    def _cancel(self, event: CancelRequested) -> None:
        self.now = event.recorded_at
        self._cancelling = event
        self.ending = None  # it was not recorded: the run was left, or blocked, when it came to it
        self._branches.close()

    def begin_undo(self) -> None:
        """After a cancellation, once nothing of the run is under way: take back, then end."""
        if self._cancelling is None or self._undoing or self._still_undoing():
            return
        self._undoing = True
        ending = RunCancelled(reason=self._cancelling.reason)
        if "cancelled" in self._definition.undo_on and self._done:
            self._undo_then(ending)
        else:
            self.ending = ending

    def _still_undoing(self) -> bool:
        """An undo that was begun before the cancellation, and may wait for its next attempt."""
        return any(kind == "undo" for kind, _, _ in self.waits)

    def _undo_then(self, ending: RunEnd) -> None:
        self._then_ends = ending
        self._branches.start(self.undo())

    async def undo(self) -> None:
        """Run the undo of each completed step that has one, last first."""
        first: StepError | None = None
        while self._done:
            call, output = self._done.pop()
            try:
                await undo_call(call, output)
            except StepError as error:
                first = first or error
        if first is not None:
            raise first

    def _check_ending(self, event: RunCompleted | RunFailed | RunCancelled) -> None:
        if isinstance(event, RunCancelled):
            if self._blocked:
                return  # a blocked run was given up as it stood
            self.begin_undo()
        if self.ending is None or not same_end(self.ending, event):
            raise self._diverged(event, self._waiting(), type(event).__name__)
        self._ending_told = True

    # divergence

    def _unexpected(self, event: Event, key: WaitKey) -> RecipeStopped:
        return self._diverged(event, self._waiting(), said(key))

    def _waiting(self) -> str:
        if self.waits:
            named = [said(key) for key in islice(self.waits, _NAMED_MAX)]
            more = len(self.waits) - len(named)
            return " or ".join([*named, f"one of {more} more"] if more else named)
        return type(self.ending).__name__ if self.ending else "nothing"

    def _diverged(
        self, event: Event, expected: str, found: str, message: str = ""
    ) -> RecipeStopped:
        text = message or f"the code expects {expected} at event {event.seq}, the log has {found}"
        return RecipeStopped(
            "recipe.diverged", text, expected=expected, found=found, at_seq=event.seq
        )


def undo_call(call: StepCall[Any], output: bytes) -> StepCall[Any]:
    """The step that takes back a completed one; it gets the recorded output."""
    _, name, occurrence = call.key
    function: Callable[..., Any] = call.spec.undo or call.spec.function
    spec = StepSpec(
        name=name, function=function, retry=call.spec.retry, timeout_s=call.spec.timeout_s
    )
    args = b'{"args":[' + output + b'],"kwargs":{}}'
    return StepCall(("undo", name, occurrence), spec, args)


def said(key: WaitKey) -> str:
    """A step or gate in words."""
    kind, name, occurrence = key
    which = f" ({occurrence})" if occurrence > 1 else ""
    return f"{kind} {name!r}{which}"
