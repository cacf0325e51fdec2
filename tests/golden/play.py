"""Plays a recipe on the engine; clock, seeds and step results are given, so nothing is chance."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from hitl_events.adapters.avro import AvroCodec
from hitl_events.domain import canonical
from hitl_events.domain.commands import CancelRun, Command, Decide, Origin, StartRun, UnblockRun
from hitl_events.domain.content import content_digest
from hitl_events.domain.events import Event, GatePaused, Source
from hitl_events.domain.token import TokenKeys
from hitl_events.domain.values import RunId, micros
from hitl_events.engine.engine import Engine
from hitl_events.engine.inputs import Due, Input, StepReport, StepStart, Submission, Wake
from hitl_events.engine.tools import Tools
from hitl_events.ports import InboundRecord
from hitl_events.recipes.book import Book
from hitl_events.recipes.recipe import Recipe

CODEC = AvroCodec()
KEYS = TokenKeys([b"the key of the golden histories."])
START = datetime(2026, 1, 1, 9, tzinfo=UTC)


class Unwatched:
    """A `Watch` that stops nobody."""

    def begin(self) -> None:
        """Nothing to measure."""

    def end(self) -> None:
        """Nothing to measure."""


class Play:
    """One run. Steps end when the script says so; every input takes a second."""

    def __init__(self, recipe: Recipe, run_id: str) -> None:
        self.run_id = RunId(run_id)
        self.recipe = recipe
        self.values: list[bytes] = []
        self.under_way: dict[str, StepStart] = {}
        self.now = START
        self._load(recipe)

    @property
    def events(self) -> list[Event]:
        """What was recorded."""
        return list(map(CODEC.decode, self.values))

    def restart(self, recipe: Recipe | None = None) -> "Play":
        """A new process, with other code if that is given; steps under way are lost."""
        self._load(recipe)
        return self._take(Wake(run_id=self.run_id))

    def start(self, input_: Any) -> "Play":
        """Start the run."""
        return self._command(
            StartRun(
                recipe=self.recipe.name,
                input=canonical.dumps(input_),
                run_id=self.run_id,
                command_id=f"runtime:{self.run_id}",
                started_by="clerk",
                seed=sha256(self.run_id.encode()).digest()[:16],
                origin=self._origin("runtime"),
            )
        )

    def done(self, step: str, output: Any) -> "Play":
        """The step ends well."""
        return self._report(step, output=canonical.dumps(output))

    def failed(self, step: str, message: str, retry_s: float | None = None) -> "Play":
        """The step fails, for good unless it is to be tried again."""
        again = None if retry_s is None else timedelta(seconds=retry_s)
        return self._report(step, error="ConnectionError", message=message, retry_in=again)

    def decide(
        self,
        verdict: str,
        decision_id: str,
        *,
        notes: str | None = None,
        data: Any = None,
        decided_by: str | None = None,
    ) -> "Play":
        """A decision on the gate that was opened last."""
        gate = [event for event in self.events if isinstance(event, GatePaused)][-1]
        token = KEYS.issue(self.run_id, gate.seq, sha256(self.run_id.encode()).digest(), KEYS.kid)
        assert token is not None
        packed = None if data is None else canonical.dumps(data)
        digest = content_digest(
            token=token, verdict=verdict, notes=notes, data=packed, decided_by=decided_by
        )
        return self._command(
            Decide(
                token=token,
                verdict=verdict,
                notes=notes,
                data=packed,
                decision_id=decision_id,
                content_digest=digest,
                decided_by=decided_by,
                claim=KEYS.read(token),
                origin=self._origin("topic"),
            )
        )

    def cancel(self, reason: str) -> "Play":
        """Cancel the run."""
        origin = self._origin("cli")
        return self._command(
            CancelRun(run_id=self.run_id, reason=reason, command_id="cli:1", origin=origin)
        )

    def unblock(self) -> "Play":
        """Ask a blocked run to go on."""
        origin = self._origin("cli")
        return self._command(
            UnblockRun(run_id=self.run_id, by="operator", command_id="cli:2", origin=origin)
        )

    def later(self, **wait: float) -> "Play":
        """Time goes by, and timers fire."""
        self.now += timedelta(**wait)
        return self._take(Due(run_id=self.run_id, until=self.now + timedelta(seconds=1)))

    def _origin(self, channel: str) -> Origin:
        if channel != "topic":
            return Origin(channel=channel, arrived_at=self.now)
        stamp_ms = micros(self.now) // 1000
        place = Source(topic="hitl.decisions", partition=3, offset=stamp_ms, timestamp_ms=stamp_ms)
        traceparent = f"00-{sha256(place.topic.encode()).hexdigest()[:32]}-00f067aa0ba902b7-01"
        return Origin(channel=channel, source=place, traceparent=traceparent, arrived_at=self.now)

    def _load(self, recipe: Recipe | None) -> None:
        book = Book([recipe] if recipe else [])
        tools = Tools(codec=CODEC, keys=KEYS, recipes=book, watch=Unwatched())
        self.under_way.clear()
        self._engine = Engine(tools)

    def _command(self, command: Command) -> "Play":
        return self._take(Submission(command=command, record=_no_record))

    def _report(self, step: str, **ended: Any) -> "Play":
        begun = self.under_way.pop(step)
        return self._take(
            StepReport(
                run_id=self.run_id,
                key=begun.request.key,
                attempt=begun.attempt,
                args_digest=begun.request.args_digest,
                duration_us=1500,
                **ended,
            )
        )

    def _take(self, entry: Input) -> "Play":
        self.now += timedelta(seconds=1)
        if self.values and self._engine.missing([entry]):
            self._engine.admit({self.run_id: self.values}, CODEC)
        turn = self._engine.take([entry], self.now)
        assert not turn.faults, turn.faults
        assert not turn.batch.dead_letters, turn.batch.dead_letters
        self.values += [each.value for each in turn.batch.events]
        self.under_way |= {start.request.key[1]: start for start in turn.starts}
        self._engine.settle()
        return self


def _no_record() -> InboundRecord:
    raise AssertionError("expected no dead letter")


def names(events: Iterable[Event]) -> list[str]:
    """The types of events."""
    return [type(event).__name__ for event in events]
