"""One run at work in memory: its events, its state, its driver, and the steps under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from hitl_events.domain.events import Event
from hitl_events.domain.evolve import evolve
from hitl_events.domain.mark import state_of
from hitl_events.domain.outcome import Standing, standing_of
from hitl_events.domain.references import Reference, cut, filled, reference_of
from hitl_events.domain.requests import StepRequest
from hitl_events.domain.state import (
    TO_TAKE_UP,
    RunState,
    StepKey,
    end_mark,
    next_due,
    status,
)
from hitl_events.domain.values import NO_DIGEST, RunId, maker
from hitl_events.engine.tools import Tools
from hitl_events.errors import CorruptLog, ImpossibleHistory, InvalidInput
from hitl_events.ports import Appended, Codec, RecipeDriver, RunPosition

_new_position = maker(RunPosition)
_new_appended = maker(Appended)


class ActiveRun:
    """Changed in place. After a failed commit it is thrown away and read again from the log."""

    __slots__ = (
        "delivered",
        "driver",
        "events",
        "gates",
        "head",
        "held_until",
        "lacks",
        "left",
        "requests",
        "run",
        "run_id",
        "running",
        "state",
        "trimmed",
        "unwritten",
    )

    run: RunState
    """`state`, of a run that has begun. Not there before: it is asked for 18 times a turn."""

    def __init__(self, run_id: RunId) -> None:
        self.run_id = run_id
        self.state: RunState | None = None
        self.events: list[Event] = []
        self.head = NO_DIGEST
        self.driver: RecipeDriver | None = None
        self.delivered = 0
        self.gates = 0
        self.running: dict[StepKey, int] = {}
        self.requests: dict[StepKey, StepRequest] = {}
        self.left = False
        self.held_until: datetime | None = None
        self.lacks: tuple[int, Reference] | None = None
        self.trimmed = False
        self.unwritten: list[Appended] = []

    def restore(
        self, values: Sequence[bytes], codec: Codec, blobs: Mapping[bytes, bytes] | None = None
    ) -> None:
        """Fold what the log holds; `CorruptLog` if the chain does not hold.

        The first value may be an end mark instead of an event: it stands for all before. `blobs`
        are by their digest; the first that is missing is what the run `lacks`.
        """
        mark = codec.decode_mark(values[0]) if values else None
        if mark is not None:
            if mark.run_id != self.run_id:
                where = f"run {self.run_id!r}, end mark"
                raise CorruptLog(where, f"it is one of run {mark.run_id!r}")
            self.run = self.state = state_of(mark)
            self.head = mark.head
            values = values[1:]
        for value in values:
            event = codec.decode(value)
            where = f"run {self.run_id!r}, event {event.seq}"
            if event.prev_digest != self.head or event.run_id != self.run_id:
                raise CorruptLog(where, "it does not follow its predecessor (digest chain)")
            try:
                reference = reference_of(event)
                if reference is not None:
                    event = self._filled(event, reference, blobs or {})
                self.run = self.state = evolve(self.state, event)
            except (ImpossibleHistory, InvalidInput, KeyError) as error:
                raise CorruptLog(where, str(error)) from error
            self.head = sha256(value).digest()
            self.events.append(event)
        state = self.state
        if state is not None and state.ended:
            self.trim()
        elif state is not None:
            self.gates = len(state.pending)

    def _filled(self, event: Event, reference: Reference, blobs: Mapping[bytes, bytes]) -> Event:
        """The event as it was recorded; as it is stored where the run lacks its blob."""
        data = blobs.get(reference.digest)
        if data is not None:
            return filled(event, data)
        if self.lacks is None:
            self.lacks = event.seq, reference
        return event

    def record(self, event: Event, now: datetime, tools: Tools) -> None:
        """Give an event its place in the run, and apply it."""
        state = self.state
        if state is not None:
            event.seq = state.seq + 1  # type: ignore[misc]  # it gets its envelope here, and only here
            now = max(now, state.recorded_at)
        else:
            event.seq = 1  # type: ignore[misc]  # as above
        event.run_id = self.run_id  # type: ignore[misc]  # as above
        event.recorded_at = now  # type: ignore[misc]  # as above
        event.prev_digest = self.head  # type: ignore[misc]  # as above
        stored, blob = cut(event, tools.inline_bytes_max)
        value = tools.codec.encode(stored)
        self.run = self.state = state = evolve(state, event)
        self.head = sha256(value).digest()
        self.events.append(event)
        self.unwritten.append(
            _new_appended(event=event, value=value, seed=state.started.seed, blob=blob)
        )

    def position(self) -> RunPosition:
        """What the log keeps of the run by its key."""
        run = self.run
        word = status(run)
        ended = run.ended
        due = None if ended else next_due(run, self.running)
        if self.held_until is not None:
            due = min(due or self.held_until, self.held_until)
        return _new_position(
            run_id=self.run_id,
            seq=run.seq,
            head=self.head,
            status=word,
            due=due,
            # a run that is left here (to its own owner) may have more to do than its events say
            busy=word in TO_TAKE_UP or bool(self.running) or self.left,
            ended=run if ended else None,
            gates=0 if ended else len(run.pending),
        )

    def rest(self) -> Standing | None:
        """Where it stands, if nothing goes on here until somebody decides, or ever; else None."""
        if self.running or self.state is None:
            return None
        standing = standing_of(self.run, self.driver.warnings if self.driver else ())
        return standing if self.left or standing.status != "running" else None

    def trim(self) -> None:
        """Keep of an ended run what answers late and repeated decisions."""
        self.forget_driver()
        self.requests.clear()
        self.run = self.state = end_mark(self.run)
        self.events = []
        self.lacks = None
        self.trimmed = True

    def forget_driver(self) -> None:
        """Drop the coroutines; the events can rebuild them."""
        if self.driver is not None:
            self.driver.close()
        self.driver = None
        self.delivered = 0
