"""Takes a run as far as its events allow: delivers them to the recipe, records what it asks."""

from __future__ import annotations

from datetime import datetime

from hitl_events.domain.commands import Decide, StepReported, UnblockRun
from hitl_events.domain.decide import expire
from hitl_events.domain.events import (
    About,
    Event,
    GateClosed,
    GatePaused,
    RunBlocked,
    RunCancelled,
    RunUnblocked,
)
from hitl_events.domain.policy import format_problem
from hitl_events.domain.reconcile import ABANDON, DID_NOT_HAPPEN, HAPPENED
from hitl_events.domain.references import BLOB_MISSING, stopped_without
from hitl_events.domain.requests import (
    EVENTS_PER_RUN_MAX,
    GateRequest,
    Request,
    StepRequest,
    Withdrawal,
)
from hitl_events.domain.state import ARRIVALS_KNOWN_TO
from hitl_events.domain.values import maker
from hitl_events.engine.active import ActiveRun
from hitl_events.engine.inputs import StepReport, StepStart
from hitl_events.engine.steps import Steps
from hitl_events.engine.tools import Tools
from hitl_events.errors import RecipeStopped
from hitl_events.ports import RecipeDriver, RegisteredRecipe

_new_paused = maker(GatePaused)


class Drive:
    """Each method returns the steps to start once what it recorded is durable."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._steps = Steps(tools)
        self.resting = False

    def apply(self, active: ActiveRun, events: tuple[Event, ...], now: datetime) -> list[StepStart]:
        """Record what a command caused, then go on."""
        for event in events:
            active.record(event, now, self._tools)
            self._steps.recorded(active, event, now)
        return self._advance(active, now)

    def report(self, active: ActiveRun, report: StepReport, now: datetime) -> list[StepStart]:
        """A step's attempt ended."""
        if not self._steps.report(active, report, now):
            return []
        return self._advance(active, now)

    def asks_for(self, active: ActiveRun, command: StepReported) -> bool:
        """Whether the recipe waits for that step, as far as it can be known from its code."""
        key = (command.kind, command.step, command.occurrence)
        if key in active.requests or key in active.run.steps:
            return True  # or it is over, which the state says
        found = self._registered(active)
        if found is None or active.run.blocked is not None or active.run.phase != "active":
            return False
        active.forget_driver()  # one that is at work tells each request but once
        try:
            requests = self._deliver(active, found).requests()
        except RecipeStopped:
            return False
        finally:
            active.forget_driver()
        return any(isinstance(each, StepRequest) and each.key == key for each in requests)

    def due(self, active: ActiveRun, until: datetime, now: datetime) -> list[StepStart]:
        """Fire what is due: gates whose time was over at `until`, then retries."""
        over = [
            (end, gate.paused.seq, gate)
            for gate in active.run.pending.values()
            if (end := gate.paused.expires_at) is not None and until >= end + ARRIVALS_KNOWN_TO
        ]
        starts: list[StepStart] = []
        for _, seq, gate in sorted(over):  # as somebody who was there would have seen them end
            if seq in active.run.pending:  # what the end of another caused may have closed it
                active.record(expire(gate), now, self._tools)
                starts += self._advance(active, now)
        return starts + self._advance(active, now)

    def wake(self, active: ActiveRun, now: datetime) -> list[StepStart]:
        """Take a run up again; a blocked one goes on if what stood in its way is mended."""
        blocked = active.run.blocked
        if blocked is None:
            return self._advance(active, now)
        found = self._registered(active)
        back = blocked.code == BLOB_MISSING and active.lacks is None
        if found is None or (found.code_fingerprint == blocked.code_fingerprint and not back):
            return []
        return self.unblock(active, now, None)

    def fault(self, active: ActiveRun, what: str, now: datetime) -> list[StepStart]:
        """Going on with a run raised in the engine itself: block it, visibly."""
        if not active.run.ended and active.run.blocked is None:
            found = self._registered(active)
            message = f"expected to go on with the run, found {what} in the engine"
            advice = "please report it; `hitl unblock` tries again"
            stopped = RecipeStopped("engine.error", f"{message}: {advice}")
            self._block(active, stopped, found.code_fingerprint if found else "", now)
        return []

    def unblock(
        self, active: ActiveRun, now: datetime, command: UnblockRun | None
    ) -> list[StepStart]:
        """Replay a blocked run; it goes on if that comes to its last event without divergence."""
        found = self._registered(active)
        if found is None or not self._may_drive(active):
            return []
        active.forget_driver()
        try:
            self._deliver(active, found)
        except RecipeStopped:
            active.forget_driver()
            return []
        by = command.by if command else None
        channel = command.origin.channel if command else "runtime"
        fingerprint = found.code_fingerprint
        event = RunUnblocked(by=by, channel=channel, code_fingerprint=fingerprint)
        active.record(event, now, self._tools)
        return self._advance(active, now)

    def data_problem(self, active: ActiveRun, command: Decide) -> str | None:
        """Why the recipe's own type refuses a decision's data; None where it is not known here."""
        claim, data = command.claim, command.data
        gate = active.run.pending.get(claim.seq) if claim else None
        if gate is None:
            return None
        about = gate.paused.about
        if command.verdict != HAPPENED if about else data is None:
            return None
        driver = self._checking(active)
        if driver is None:  # the recorded schema judges data, and nothing an output
            held = data or b"null"
            return self._unchecked(active, about) if about else format_problem(gate.paused, held)
        if about is not None:
            return self._steps.output_problem(active, about, data)
        paused = gate.paused
        return driver.data_problem("gate", paused.gate, paused.occurrence, data or b"")

    def _checking(self, active: ActiveRun) -> RecipeDriver | None:
        """The run's code if it fits the run; where it does not, that blocks the run later."""
        found = self._registered(active)
        if found is None or active.run.blocked is not None:
            return None
        try:
            return self._deliver(active, found)
        except RecipeStopped:
            active.forget_driver()
            return None

    def _unchecked(self, active: ActiveRun, about: About) -> str:
        """An output is recorded for ever: one that does not fit would stop the run for ever."""
        if active.run.blocked is None and self._registered(active) is None and self._tools.only:
            return f"{self._unknown(active)}: name its module, then decide again"
        return (
            f"expected code that fits the run, to check the output of step {about.step!r}, found "
            f"none: bring it, `hitl unblock {active.run_id}`, then decide again (with another "
            f"decision id); {DID_NOT_HAPPEN} and {ABANDON} can be decided before that"
        )

    # driving

    def _advance(self, active: ActiveRun, now: datetime) -> list[StepStart]:
        run = active.run
        found = self._registered(active)
        if run.blocked is not None and run.phase == "cancelling":
            self._cancel_blocked(active, found, now)
        if run.ended or run.blocked is not None:
            return []
        active.left = not self._may_drive(active) or (
            found is None and self._tools.only is not None
        )
        active.held_until = self._held_until(active, now)
        if active.left or active.held_until is not None:
            return []
        if found is None:
            stopped = RecipeStopped("recipe.unknown", self._unknown(active))
            self._block(active, stopped, "", now)
            return []
        starts: list[StepStart] = []
        try:
            self._drive_on(active, found, starts, now)
        except RecipeStopped as stopped:
            self._block(active, stopped, found.code_fingerprint, now)
        return starts

    def _held_until(self, active: ActiveRun, now: datetime) -> datetime | None:
        """The owner before may be in a `once` step still: nobody is asked about it yet (4.8)."""
        ask_from = self._tools.ask_from
        if now >= ask_from:
            return None
        begun = (key for key, step in active.run.steps.items() if step.status == "started")
        return ask_from if any(key not in active.running for key in begun) else None

    def _cancel_blocked(
        self, active: ActiveRun, found: RegisteredRecipe | None, now: datetime
    ) -> None:
        """A blocked run ends at once, unless its code would have something to take back."""
        if not active.running and (found is None or "cancelled" not in found.undo_on):
            reason = active.run.reason
            active.record(RunCancelled(reason=reason), now, self._tools)

    def _drive_on(
        self, active: ActiveRun, found: RegisteredRecipe, starts: list[StepStart], now: datetime
    ) -> None:
        run = active.run
        while True:
            driver = self._deliver(active, found)
            requests = driver.requests()
            if not requests and run.phase == "cancelling" and not active.running:
                driver.begin_undo()
                requests = driver.requests()
            if not requests:
                break
            for request in requests:
                self._fulfil(active, request, starts, now)
            if active.delivered == len(active.events) and run.phase == "active":
                break  # nothing was recorded that the recipe could go on with
        starts += self._steps.retries(active, now)
        if run.seq > EVENTS_PER_RUN_MAX and not run.ended:
            message = f"expected at most {EVENTS_PER_RUN_MAX} events in one run, found more"
            raise RecipeStopped("recipe.stuck", message)

    def _deliver(self, active: ActiveRun, found: RegisteredRecipe) -> RecipeDriver:
        if active.lacks is not None:
            raise stopped_without(active.run_id, *active.lacks)
        driver = active.driver
        if driver is None:
            driver = active.driver = found.driver(active.run.started, self._tools.watch)
            active.delivered = 0
        events = active.events
        while active.delivered < len(events):
            active.delivered += 1
            driver.deliver(events[active.delivered - 1])
        if self._tools.strict and driver.warnings:
            seq, message = driver.warnings[0]
            raise RecipeStopped("recipe.changed_arguments", message, at_seq=seq)
        return driver

    def _fulfil(
        self, active: ActiveRun, request: Request, starts: list[StepStart], now: datetime
    ) -> None:
        match request:
            case StepRequest():
                active.requests[request.key] = request
                starts += self._steps.request(active, request, now)
            case GateRequest():
                if request.key not in active.run.gates:
                    self._open(active, request, now)
            case Withdrawal(key=(gate, occurrence)):
                held = active.run.gates.get((gate, occurrence))
                if held is not None and held.status == "pending":
                    event = GateClosed(gate=gate, occurrence=occurrence, reason="withdrawn")
                    active.record(event, now, self._tools)
            case _:
                active.record(request, now, self._tools)

    def _open(self, active: ActiveRun, request: GateRequest, now: datetime) -> None:
        since = max(now, active.run.recorded_at)
        wait = request.expires_in
        gate, occurrence = request.key
        event = _new_paused(
            gate=gate,
            occurrence=occurrence,
            pause_kind=request.pause_kind,
            draft=request.draft,
            draft_digest=request.draft_digest,
            verdicts=request.verdicts,
            data_schema=request.data_schema,
            expires_at=None if wait is None else since + wait,
            on_expiry=request.on_expiry,
            token_kid=self._tools.keys.kid,
        )
        active.record(event, now, self._tools)

    def _block(
        self, active: ActiveRun, stopped: RecipeStopped, fingerprint: str, now: datetime
    ) -> None:
        active.forget_driver()
        event = RunBlocked(
            code=stopped.code,
            message=stopped.message,
            expected=stopped.expected,
            found=stopped.found,
            at_seq=stopped.at_seq,
            code_fingerprint=fingerprint,
        )
        active.record(event, now, self._tools)

    def _registered(self, active: ActiveRun) -> RegisteredRecipe | None:
        started = active.run.started
        return self._tools.recipes.find(started.recipe, started.version)

    def _unknown(self, active: ActiveRun) -> str:
        started = active.run.started
        known = ", ".join(self._tools.recipes.known()) or "none"
        wanted = f"{started.recipe!r} version {started.version!r}"
        return f"expected the run's recipe {wanted}, found only {known}"

    def _may_drive(self, active: ActiveRun) -> bool:
        only = self._tools.only
        return not self.resting and (only is None or active.run_id in only)
