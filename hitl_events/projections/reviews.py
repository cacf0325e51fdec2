"""The review page of a gate as a value: all that whoever decides was shown, and what came before.

Folded from the events up to the moment that is asked about, so it shows nothing that was not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from hitl_events.domain import canonical
from hitl_events.domain.events import Event, GatePaused, RunStarted, StepCompleted, StepFailed
from hitl_events.domain.references import data_digest, shown
from hitl_events.domain.values import iso, value
from hitl_events.errors import ImpossibleHistory, InvalidInput
from hitl_events.projections.decisions import DecisionRow
from hitl_events.projections.ledger import Ledger
from hitl_events.projections.pauses import PauseRow


@value
class StepBefore:
    """An attempt of a step that ended before the gate opened: with an output, or with an error."""

    seq: int
    at: datetime
    kind: str
    step: str
    occurrence: int
    attempt: int
    output: bytes | None
    error: str | None
    message: str | None

    def to_json(self) -> dict[str, Any]:
        """All of it; `output` is the value, None for an attempt that failed."""
        return {
            "seq": self.seq,
            "at": iso(self.at),
            "kind": self.kind,
            "step": self.step,
            "occurrence": self.occurrence,
            "attempt": self.attempt,
            "output": None if self.output is None else shown(self.output),
            "error": self.error,
            "message": self.message,
        }


@value
class Review:
    """The page: the pause as it stood, draft and data schema as recorded, what came before it.

    `decisions` are those at earlier gates and rounds.
    """

    pause: PauseRow
    draft: bytes
    data_schema: bytes | None
    input: bytes
    steps: tuple[StepBefore, ...]
    decisions: tuple[DecisionRow, ...]

    @property
    def is_as_digested(self) -> bool:
        """True if the draft is the one of which the event has the digest."""
        return data_digest(self.draft) == self.pause.draft_digest

    def to_json(self) -> dict[str, Any]:
        """The row of the pause, with draft, data schema, input, steps and decisions before it."""
        schema = self.data_schema
        return self.pause.to_json() | {
            "draft": shown(self.draft),
            "data_schema": None if schema is None else canonical.loads(schema),
            "input": canonical.loads(self.input),
            "steps": [step.to_json() for step in self.steps],
            "decisions": [decision.to_json() for decision in self.decisions],
        }

    def asked(self) -> dict[str, Any]:
        """What is compared of two rounds: the draft, and what might be decided about it."""
        held = self.to_json()
        return {name: held[name] for name in ("draft", "verdicts", "data_schema", "policy")}


def review(events: Sequence[Event], gate_seq: int) -> Review:
    """The page of the gate that event `gate_seq` opened, as it stood after the last of the events.

    `InvalidInput` where that event opened no gate.
    """
    ledger, decisions = Ledger(), list[DecisionRow]()
    for event in events:
        for row in ledger.add(event):
            if isinstance(row, DecisionRow) and row.seq < gate_seq:
                decisions.append(row)
    pause = next((each for each in ledger.pauses if each.seq == gate_seq), None)
    if pause is None:
        raise InvalidInput(f"expected an event that opened a gate, found none at {gate_seq}")
    started, paused = events[0], events[gate_seq - 1]
    if not isinstance(started, RunStarted) or not isinstance(paused, GatePaused):
        problem = "expected RunStarted first and a gate here, found others"
        raise ImpossibleHistory(paused.run_id, gate_seq, problem)
    return Review(
        pause=pause,
        draft=paused.draft,
        data_schema=paused.data_schema,
        input=started.input,
        steps=tuple(_steps(events[: gate_seq - 1])),
        decisions=tuple(decisions),
    )


def open_reviews(events: Sequence[Event]) -> tuple[Review, ...]:
    """The pages of the gates that are open after the last of the events."""
    ledger = Ledger()
    for event in events:
        ledger.add(event)
    return tuple(review(events, pause.seq) for pause in ledger.pauses if pause.closing is None)


def _steps(events: Iterable[Event]) -> Iterable[StepBefore]:
    for event in events:
        match event:
            case StepCompleted():
                yield _step(event, event.output, None, None)
            case StepFailed():
                yield _step(event, None, event.error, event.message)
            case _:
                pass


def _step(
    event: StepCompleted | StepFailed,
    output: bytes | None,
    error: str | None,
    message: str | None,
) -> StepBefore:
    return StepBefore(
        seq=event.seq,
        at=event.recorded_at,
        kind=event.kind,
        step=event.step,
        occurrence=event.occurrence,
        attempt=event.attempt,
        output=output,
        error=error,
        message=message,
    )
