"""What a statement about a gate rests on: the rule that was applied, and the event that made it so.

Each ground is a sentence with the seq of its event; they are the leaves of an explanation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from hitl_events.audit.sentences import decided, went_on
from hitl_events.domain.events import (
    CancelRequested,
    DecisionReceived,
    DecisionRejected,
    Event,
    GateClosed,
    GatePaused,
    RunBlocked,
    RunCompleted,
    RunFailed,
    RunStarted,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from hitl_events.domain.values import iso, moment

Ground: TypeAlias = tuple[int, str]
"""The seq of an event, and what it bears out."""

_US_PER_MS = 1000


def of_opening(paused: GatePaused, events: Sequence[Event]) -> Iterator[Ground]:
    """What had just happened when the gate opened."""
    for event in reversed(events[: paused.seq - 1]):
        match event:
            case RunStarted():
                version = f"{event.recipe!r} (version {event.version})"
                yield event.seq, f"Recipe {version} had begun on its input."
                return
            case StepCompleted() | StepFailed() | StepStarted():
                yield event.seq, f"Before that {went_on(event)}."
                return
            case DecisionReceived() if event.resolution is not None:
                yield event.seq, f"Before that gate {event.gate!r} was closed: {event.resolution}."
                return
            case GateClosed():
                yield event.seq, f"Before that gate {event.gate!r} was closed: {event.reason}."
                return
            case _:
                pass


def of_doubt(paused: GatePaused, events: Sequence[Event]) -> Iterator[Ground]:
    """The beginning of the step that a reconcile gate asks about."""
    about = paused.about and (paused.about.step, paused.about.occurrence)
    for event in reversed(events[: paused.seq - 1]):
        if isinstance(event, StepStarted) and (event.step, event.occurrence) == about:
            yield event.seq, f"Attempt {event.attempt} of it was begun."
            return


def of_waiting(paused: GatePaused, events: Sequence[Event]) -> Iterator[Ground]:
    """Why an open gate is not closed."""
    yield paused.seq, f"It was opened, and no event after that up to {events[-1].seq} closes it."
    for event in events[paused.seq :]:
        if isinstance(event, DecisionReceived) and _is_of(event, paused):
            yield event.seq, f"{decided(event)} counts, and is not enough by itself."
    if paused.expires_at is not None:
        yield paused.seq, f"It ends at {iso(paused.expires_at)} at the latest."


def of_event(event: Event, paused: GatePaused, events: Sequence[Event]) -> Iterator[Ground]:
    """Why a decision was received or refused, or the gate closed without one."""
    match event:
        case DecisionReceived():
            yield from _of_received(event, paused)
        case DecisionRejected():
            yield from _of_refused(event, paused, events[: event.seq - 1])
        case GateClosed():
            yield from _of_closing(event, paused, events[: event.seq - 1])
        case RunBlocked() if event.expected is not None:
            at = event.seq if event.at_seq is None else event.at_seq
            yield at, f"The code asks for {event.expected}, the log has {event.found}."
        case _:
            pass


def _of_received(event: DecisionReceived, paused: GatePaused) -> Iterator[Ground]:
    if event.channel == "schedule":
        yield from _of_time(paused)
        return
    yield paused.seq, f"The gate was open, and {event.verdict!r} is one of the verdicts it offers."
    if event.draft_digest is not None:
        yield event.seq, f"It names the draft that was shown: {event.draft_digest.hex()}."
    else:
        yield event.seq, "It names no draft, so it is about the one that was shown."
    if event.data is not None:
        yield paused.seq, "Its data fits the schema of the gate."
    if paused.expires_at is not None:
        yield event.seq, f"{_arrived(event)}; the gate ran until {iso(paused.expires_at)}."


def _of_refused(
    event: DecisionRejected, paused: GatePaused, before: Sequence[Event]
) -> Iterator[Ground]:
    match event.reason:
        case "token_used":
            yield from _decided_before(paused, before)
        case "token_expired" | "superseded":
            yield from _closed_before(paused, before)
        case "run_ended":
            yield from _ended_before(before)
        case "unknown_verdict":
            yield paused.seq, f"The gate offers {', '.join(paused.verdicts)}."
        case "invalid_data":
            has = "has a schema for data" if paused.data_schema is not None else "takes no data"
            yield paused.seq, f"The gate {has}."
        case "artefact_changed":
            yield (
                paused.seq,
                f"The draft that was shown has the digest {paused.draft_digest.hex()}.",
            )
            named = "none" if event.draft_digest is None else event.draft_digest.hex()
            yield event.seq, f"The decision names {named}."
        case "conflict":
            yield from _bound_before(event, before)
        case "not_allowed":
            yield paused.seq, "The policy of the gate does not let this one decide."
        case _:
            pass


def _decided_before(paused: GatePaused, before: Sequence[Event]) -> Iterator[Ground]:
    for event in before:
        match event:
            case DecisionReceived(resolution=str(resolution)) if _is_of(event, paused):
                yield event.seq, f"{decided(event)} had closed the gate: {resolution}."
            case _:
                pass


def _closed_before(paused: GatePaused, before: Sequence[Event]) -> Iterator[Ground]:
    for event in before:
        if isinstance(event, GateClosed) and _is_of(event, paused):
            yield event.seq, f"The gate had closed without a decision: {event.reason}."
            if event.reason == "expired":
                yield from _of_time(paused)


def _ended_before(before: Sequence[Event]) -> Iterator[Ground]:
    for event in before:
        match event:
            case CancelRequested():
                yield event.seq, "The run had been cancelled."
                return
            case RunFailed() | RunCompleted():
                yield event.seq, f"Before that {went_on(event)}."
                return
            case _:
                pass


def _bound_before(event: DecisionRejected, before: Sequence[Event]) -> Iterator[Ground]:
    for other in before:
        match other:
            case DecisionReceived() | DecisionRejected() if other.decision_id == event.decision_id:
                yield other.seq, f"The id {event.decision_id!r} was first used with other content."
                return
            case _:
                pass


def _of_closing(event: GateClosed, paused: GatePaused, before: Sequence[Event]) -> Iterator[Ground]:
    if event.reason == "expired":
        yield from _of_time(paused)
        return
    for other in reversed(before):
        match other:
            case StepFailed(retry_at=None):
                yield other.seq, f"Before that {went_on(other)}; what waits beside it is closed."
                return
            case GateClosed(reason="expired"):
                yield other.seq, f"Before that gate {other.gate!r} expired beside it."
                return
            case _:
                pass


def _of_time(paused: GatePaused) -> Iterator[Ground]:
    if paused.expires_at is None:
        return
    verdict = paused.on_expiry
    then = "names no verdict for after that" if verdict is None else f"then decides {verdict!r}"
    yield paused.seq, f"The gate ran until {iso(paused.expires_at)} and {then}."


def _arrived(event: DecisionReceived) -> str:
    """When it reached the log, as far as the event says."""
    if event.source is None:
        return f"It was recorded at {iso(event.recorded_at)}"
    return f"It came at {iso(moment(event.source.timestamp_ms * _US_PER_MS))}"


def _is_of(event: DecisionReceived | GateClosed, paused: GatePaused) -> bool:
    return (event.gate, event.occurrence) == (paused.gate, paused.occurrence)
