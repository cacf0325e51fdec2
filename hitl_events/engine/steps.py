"""The life of steps in the engine: begun, reported, tried again, uncertain (DESIGN 4.8)."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from hitl_events.domain import canonical
from hitl_events.domain.events import (
    About,
    DecisionReceived,
    Event,
    GatePaused,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from hitl_events.domain.reconcile import (
    ABANDON,
    ABANDONED,
    HAPPENED,
    RECONCILE_KIND,
    RECONCILE_PREFIX,
    VERDICTS,
)
from hitl_events.domain.report import answered, step_end
from hitl_events.domain.requests import StepRequest
from hitl_events.domain.state import StepKey, uncertain_gate
from hitl_events.domain.values import digest, maker
from hitl_events.engine.active import ActiveRun
from hitl_events.engine.inputs import StepReport, StepStart
from hitl_events.engine.tools import Tools
from hitl_events.errors import NotSerialisable

_DATA_SCHEMA = canonical.dumps(
    {"type": "object", "properties": {"output": {}}, "additionalProperties": False}
)
SHOWN_ARGS_BYTES_MAX = 64 * 1024
"""Arguments shown to who has to say whether a step happened; larger ones are named by digest."""

_new_start = maker(StepStart)


class Steps:
    """Records what becomes of steps; begins them only in what it returns."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def request(self, active: ActiveRun, request: StepRequest, now: datetime) -> list[StepStart]:
        """A step that the recipe waits for, seen for the first time or after a restart."""
        run, key = active.run, request.key
        held = run.steps.get(key)
        if run.phase != "active" and key[0] == "step":
            return []  # cancelled: nothing new begins but what takes back
        if held is None and key not in active.running:
            return [self._begin(active, request, 1, now)]
        if held is not None and held.status == "started" and key not in active.running:
            self._ask(active, key, held.attempt, now)
        return []

    def retries(self, active: ActiveRun, now: datetime) -> list[StepStart]:
        """The steps whose pause before the next attempt is over."""
        run, running = active.run, active.running
        ready: list[tuple[StepRequest, int]] = []
        for key, step in run.steps.items():
            at = step.retry_at
            if at is None or key in running or at > max(now, run.recorded_at):
                continue
            if key in active.requests and (run.phase == "active" or key[0] == "undo"):
                ready.append((active.requests[key], step.attempt + 1))
        return [self._begin(active, request, attempt, now) for request, attempt in ready]

    def _begin(
        self, active: ActiveRun, request: StepRequest, attempt: int, now: datetime
    ) -> StepStart:
        kind, step, occurrence = request.key
        if request.once:
            event = StepStarted(
                step=step,
                occurrence=occurrence,
                kind=kind,
                attempt=attempt,
                args_digest=request.args_digest,
            )
            active.record(event, now, self._tools)
        active.running[request.key] = attempt
        return _new_start(run_id=active.run_id, request=request, attempt=attempt)

    def report(self, active: ActiveRun, report: StepReport, now: datetime) -> bool:
        """Record how an attempt ended; False where nobody waits for it (any more)."""
        if active.running.get(report.key) != report.attempt or active.run.ended:
            return False
        del active.running[report.key]
        if report.uncertain:
            self._ask(active, report.key, report.attempt, now)
            return True
        question = answered(active.run, report.key)
        if question is not None:  # by an owner in between, who did not know that it runs here
            active.record(question, now, self._tools)
        if report.output is not None:
            active.requests.pop(report.key, None)
        again = report.retry_in if active.run.phase == "active" or report.key[0] == "undo" else None
        retry_at = None if again is None else max(now, active.run.recorded_at) + again
        active.record(step_end(report.key, report, retry_at), now, self._tools)
        return True

    def _ask(self, active: ActiveRun, key: StepKey, attempt: int, now: datetime) -> None:
        """Open the gate at which a human says whether a `once` step happened."""
        if uncertain_gate(active.run, key) is not None or active.run.phase != "active":
            return
        _, step, occurrence = key
        gate = RECONCILE_PREFIX + step
        draft = self._question(active, key, attempt)
        event = GatePaused(
            gate=gate,
            occurrence=1 + sum(name == gate for name, _ in active.run.gates),
            pause_kind=RECONCILE_KIND,
            draft=draft,
            draft_digest=digest(draft),
            verdicts=VERDICTS,
            data_schema=_DATA_SCHEMA,
            about=About(step=step, occurrence=occurrence),
            token_kid=self._tools.keys.kid,
        )
        active.record(event, now, self._tools)

    def _question(self, active: ActiveRun, key: StepKey, attempt: int) -> bytes:
        _, step, occurrence = key
        asked: dict[str, object] = {
            "step": step,
            "occurrence": occurrence,
            "attempt": attempt,
            "key": f"{active.run_id}:{step}:{occurrence}",
            "question": f"Did {step!r} happen? It began and its end was not recorded.",
        }
        request = active.requests.get(key)
        if request is not None and len(request.args) <= SHOWN_ARGS_BYTES_MAX:
            with suppress(NotSerialisable):  # nested as deep as may be, they do not fit into it
                return canonical.dumps(asked | {"arguments": canonical.loads(request.args)})
        return canonical.dumps(asked)

    def recorded(self, active: ActiveRun, event: Event, now: datetime) -> None:
        """What follows from an event that a command caused."""
        if isinstance(event, DecisionReceived):
            self._reconciled(active, event, now)
        elif isinstance(event, StepCompleted | StepFailed):
            self._over(active, (event.kind, event.step, event.occurrence))

    def _over(self, active: ActiveRun, key: StepKey) -> None:
        """Should it be under way here as well, nobody waits for its end any more."""
        active.running.pop(key, None)
        if active.run.steps[key].status == "completed":
            active.requests.pop(key, None)

    def _reconciled(self, active: ActiveRun, event: DecisionReceived, now: datetime) -> None:
        """What follows from a human's word about a `once` step."""
        about = active.run.gates[event.gate, event.occurrence].paused.about
        if about is None:
            return
        held = active.run.steps["step", about.step, about.occurrence]
        args_digest = self._args_digest(active, about)
        follow: Event | None = None
        if event.resolution == HAPPENED:
            said: dict[str, object] = canonical.loads(event.data) if event.data else {}
            follow = StepCompleted(
                step=about.step,
                occurrence=about.occurrence,
                kind="step",
                attempt=held.attempt,
                args_digest=args_digest,
                output=canonical.dumps(said.get("output")),
                duration_us=0,
            )
        elif event.resolution == ABANDON:
            follow = StepFailed(
                step=about.step,
                occurrence=about.occurrence,
                kind="step",
                attempt=held.attempt,
                args_digest=args_digest,
                error=ABANDONED,
                message=event.notes or "given up at the reconcile gate",
            )
        if follow is not None:
            active.record(follow, now, self._tools)
            self._over(active, ("step", about.step, about.occurrence))

    def _args_digest(self, active: ActiveRun, about: About) -> bytes:
        begun = (
            event.args_digest
            for event in reversed(active.events)
            if isinstance(event, StepStarted)
            and (event.step, event.occurrence) == (about.step, about.occurrence)
        )
        return next(begun)

    def output_problem(self, active: ActiveRun, about: About, data: bytes | None) -> str | None:
        """Why the output that a human gives (left out: null) does not fit the step's type."""
        said: dict[str, object] = canonical.loads(data or b"{}")
        output = canonical.dumps(said.get("output"))
        if active.driver is None:
            return None
        return active.driver.data_problem("step", about.step, about.occurrence, output)
