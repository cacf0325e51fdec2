"""The checker: reads the log's bytes and the world's own records, knows nothing of the engine.

Every event is checked when it becomes durable, every step when it begins, every answer when the
world has come to rest. `Violation` names the promise that was broken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

from hitl_events.domain.events import (
    CancelRequested,
    DecisionReceived,
    DecisionRejected,
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
from hitl_events.domain.refusals import REJECTED_PER_RUN_MAX
from hitl_events.engine.inputs import StepStart
from hitl_events.ports import Codec, DeadLetter
from hitl_events.testing.simulation.ledger import Ledger, Pause, StepKey, Violation, demand
from hitl_events.testing.simulation.rulings import Ruling, expected_ruling
from hitl_events.testing.simulation.sent import Place, Sent

_FACT = re.compile(r"(?:out|dec|schedule|intake):[\w.:~-]+")


class Oracle:
    """`ledgers` are the runs as their durable bytes have them; `placed` what stands for whom."""

    def __init__(self, codec: Codec) -> None:
        self.ledgers: dict[str, Ledger] = {}
        self.events_at: dict[Place, list[Event]] = {}
        self.letters_at: dict[Place, list[DeadLetter]] = {}
        self.sent: dict[Place, Sent] = {}
        self.begun: set[tuple[str, StepKey, int]] = set()
        self.outputs: dict[tuple[str, StepKey], set[bytes]] = {}
        self.code_was_changed = False
        self.undone_on_cancel: Callable[[str], set[str]] = lambda _run_id: set()
        self._codec = codec

    # the log

    def follow(self, values: Iterable[bytes]) -> None:
        """Events that have become durable, in the order of the log."""
        for value in values:
            event = self._codec.decode(value)
            demand("P12", self._codec.encode(event) == value, "an event that encodes to its bytes")
            ledger = self.ledgers.get(event.run_id)
            if ledger is None:
                ledger = self.ledgers[event.run_id] = Ledger(event.run_id)
            self._chained(ledger, event, value)
            self._event(ledger, event)

    def letters(self, letters: Iterable[DeadLetter]) -> None:
        """Dead letters that have become durable."""
        for letter in letters:
            demand("P2", letter.source is not None, "a dead letter with its source")
            if letter.source is not None:
                place = (letter.source.topic, letter.source.offset)
                self.letters_at.setdefault(place, []).append(letter)

    def _chained(self, ledger: Ledger, event: Event, value: bytes) -> None:
        demand("P12", event.seq == len(ledger.values) + 1, "seq without gap", event)
        demand("P12", event.prev_digest == ledger.head, "the digest of its predecessor", event)
        demand("P1", event.recorded_at >= ledger.recorded_at, "time that goes on", event)
        over = ledger.ended and not isinstance(event, DecisionRejected)
        demand("P3", not over, "nothing but refusals after the end", event)
        ledger.values.append(value)
        ledger.head = sha256(value).digest()
        ledger.recorded_at = event.recorded_at

    def _event(self, ledger: Ledger, event: Event) -> None:
        match event:
            case RunStarted():
                demand("P12", event.seq == 1, "RunStarted first")
                ledger.started = event
                ledger.facts.update(_FACT.findall(event.input.decode()))
            case StepStarted():
                self._step_started(ledger, event)
            case StepCompleted():
                self._step_completed(ledger, event)
            case StepFailed():
                self._step_failed(ledger, event)
            case GatePaused():
                self._paused(ledger, event)
            case DecisionReceived():
                self._received(ledger, event)
            case DecisionRejected():
                self._rejected(ledger, event)
            case GateClosed():
                self._closed(ledger, event)
            case CancelRequested():
                demand("P3", not ledger.cancelling, "one CancelRequested per run")
                ledger.cancel()
            case RunCompleted() | RunFailed():
                demand("P4", not ledger.cancelling, "a cancelled run that ends as cancelled")
                ledger.end(type(event).__name__)
            case RunCancelled():
                self._cancelled(ledger)
            case RunBlocked():
                ledger.blocked = True
            case RunUnblocked():
                ledger.blocked = False
        self._place(event)

    def _place(self, event: Event) -> None:
        source = getattr(event, "source", None)
        if source is not None:
            self.events_at.setdefault((source.topic, source.offset), []).append(event)

    # steps

    def _step_started(self, ledger: Ledger, event: StepStarted) -> None:
        step = ledger.step((event.kind, event.step, event.occurrence))
        demand("P4", not step.over, "no StepStarted after its end", event)
        may = not ledger.cancelling or event.kind == "undo"
        demand("P4", may, "no new step once cancelled", event)
        demand("P6", event.attempt == step.attempt + 1, "the next attempt", event)
        demand("P6", not step.started or step.cleared, "a human's word before it again", event)
        step.attempt, step.started, step.cleared = event.attempt, True, False

    def _step_completed(self, ledger: Ledger, event: StepCompleted) -> None:
        key = (event.kind, event.step, event.occurrence)
        step = ledger.step(key)
        demand("P4", not step.over, "one end of a step, found one more", event)
        said = event.output in self.outputs.get((ledger.run_id, key), ())
        demand("P7", said or step.told == event.output, "the output that the step gave", event)
        ledger.facts.update(_FACT.findall(event.output.decode()))
        step.over, step.completed_seq, step.attempt = "completed", event.seq, event.attempt

    def _step_failed(self, ledger: Ledger, event: StepFailed) -> None:
        step = ledger.step((event.kind, event.step, event.occurrence))
        demand("P4", not step.over, "one end of a step, found one more", event)
        step.attempt, step.cleared = event.attempt, event.retry_at is not None
        step.over = "" if event.retry_at is not None else "failed"

    def begin(self, start: StepStart, *, once: bool) -> None:
        """The body of a step is about to run, here and now."""
        key = start.request.key
        run_id = start.run_id
        ledger = self.ledgers.get(run_id)
        attempt = (run_id, key, start.attempt)
        if ledger is None:
            raise Violation("P5", f"a durable run before {attempt}")
        unknown = set(_FACT.findall(start.request.args.decode())) - ledger.facts
        demand("P5", not unknown, "only durable causes", attempt, unknown)
        demand("P5", not ledger.ended, "no step after the end of its run", attempt)
        step = ledger.step(key)
        demand("P4", step.over != "completed", "no completed step again", attempt)
        if once:
            demand("P6", attempt not in self.begun, "an attempt of a once step begun once", attempt)
            self.begun.add(attempt)
            durable = step.started and step.attempt == start.attempt
            demand("P6", durable, "a durable StepStarted before a once step", attempt)

    # gates

    def _paused(self, ledger: Ledger, event: GatePaused) -> None:
        demand("P4", not ledger.cancelling, "no gate once cancelled")
        demand("P11", sha256(event.draft).digest() == event.draft_digest, "the digest of the draft")
        ledger.pauses[event.seq] = Pause(event)

    def _received(self, ledger: Ledger, event: DecisionReceived) -> None:
        pause = ledger.pause(event.gate, event.occurrence)
        demand("P3", pause.closed_by is None and not pause.dead, "an open gate", event)
        if event.channel == "schedule":
            paused = pause.event
            late = paused.expires_at is not None and event.recorded_at > paused.expires_at
            demand("P3", late, "an expiry after its time", event)
            demand("P3", event.verdict == paused.on_expiry, "the verdict of on_expiry", event)
        else:
            sent = self._sender(event)
            ruling = expected_ruling(ledger, sent)
            demand("P3", ruling.reason is None, "a refusal", ruling.reason, sent, event)
            _same_content(sent, event)
        demand("P3", event.decision_id not in ledger.bound, "a fresh decision id", event)
        ledger.receive(pause, event)

    def _rejected(self, ledger: Ledger, event: DecisionRejected) -> None:
        sent = self._sender(event)
        ruling = expected_ruling(ledger, sent)
        found = (event.reason, event.winner_decision_id)
        if self.code_was_changed and found == ("invalid_data", None) and ruling.reason is None:
            ruling = Ruling(reason="invalid_data")  # other code may take other data
        demand("P3", found == (ruling.reason, ruling.winner), "another answer", ruling, sent, event)
        demand("P2", not ruling.in_time, "a decision that came in time to win", sent, event)
        _same_content(sent, event)
        ledger.reject(event)
        demand("P2", ledger.rejected <= REJECTED_PER_RUN_MAX, "a limit to refusals", event)

    def _closed(self, ledger: Ledger, event: GateClosed) -> None:
        pause = ledger.pause(event.gate, event.occurrence)
        demand("P3", pause.closed_by is None and not pause.dead, "an open gate to close", event)
        if event.reason == "expired":
            end = pause.event.expires_at
            late = end is not None and event.recorded_at > end
            demand("P3", late and pause.event.on_expiry is None, "an expiry after its time")
        if event.reason == "superseded":
            about = pause.about
            asked = about is not None and not ledger.step(about).over
            demand("P6", asked, "an open question about a step", event)
        pause.dead = event.reason

    def _cancelled(self, ledger: Ledger) -> None:
        demand("P4", ledger.cancelling, "CancelRequested before RunCancelled")
        wanted = self.undone_on_cancel(ledger.run_id)
        left = [
            key
            for key, step in list(ledger.steps.items())
            if key[0] == "step" and step.over == "completed" and key[1] in wanted
            if not ledger.step(("undo", *key[1:])).over
        ]
        if not ledger.blocked:
            left += [
                key
                for key, step in ledger.steps.items()
                if key[0] == "undo" and step.attempt > 0 and not step.over
            ]
        demand("P4", not left, "all undone before RunCancelled", ledger.run_id, left)
        ledger.end("RunCancelled")

    def _sender(self, event: DecisionReceived | DecisionRejected) -> Sent:
        source = event.source
        sent = self.sent.get((source.topic, source.offset)) if source else None
        if sent is None or sent.kind != "decide":
            raise Violation("P2", f"a sender, found none: {event}")
        demand("P2", sent.run_id == event.run_id, "an event in the sender's run", sent, event)
        return sent


def _same_content(sent: Sent, event: DecisionReceived | DecisionRejected) -> None:
    """The event says what was sent, no more and no less."""
    fields = sent.fields
    digest = None if event.draft_digest is None else event.draft_digest.hex()
    found: dict[str, Any] = {
        "verdict": event.verdict,
        "notes": event.notes,
        "decided_by": event.decided_by,
        "draft_digest": digest,
    }
    wanted = {name: fields.get(name) for name in found}
    demand("P2", found == wanted, "the fields as they were sent", sent, event)
    demand("P2", event.content_digest == sent.content_digest, "the content digest", sent, event)
    demand("P2", event.decision_id == sent.decision_id, "the decision id", sent, event)
