"""How submissions travel: as calls of the owner, or as records of the intake."""

from __future__ import annotations

from dataclasses import replace

from hitl_events.adapters.calls import Caller, Name
from hitl_events.adapters.inbound import command_json, decision_json, read_inbound
from hitl_events.adapters.limits import TOPIC
from hitl_events.adapters.memory import MemoryLog
from hitl_events.domain.commands import Decide, StartRun
from hitl_events.domain.events import Source
from hitl_events.domain.refusals import Refused
from hitl_events.domain.values import micros, moment
from hitl_events.engine.inputs import Submission
from hitl_events.ports import Answer, InboundRecord
from hitl_events.testing.simulation.history import History
from hitl_events.testing.simulation.ledger import Violation
from hitl_events.testing.simulation.oracle import Oracle
from hitl_events.testing.simulation.owner import done
from hitl_events.testing.simulation.sent import CALL, Kind, Sent
from hitl_events.testing.stage import SEED

_NAMES: dict[Kind, Name] = {
    "start": "StartRun",
    "decide": "Decide",
    "cancel": "CancelRun",
    "unblock": "UnblockRun",
}


class Post:
    """Sends what clients make, and notes where each stands, so that the checker can find it."""

    def __init__(self, intake: MemoryLog, caller: Caller, oracle: Oracle, history: History) -> None:
        self.starts: list[Sent] = []
        self.reports: list[int] = []
        self._intake = intake
        self._caller = caller
        self._oracle = oracle
        self._history = history
        self._calls: dict[int, Sent] = {}

    def call(self, sent: Sent) -> Submission:
        """An own call of the owner. It bears a source, which a real one has not, to be found by."""
        ticket = len(self._calls) + 1
        submission, sent.run_id = self._caller.call(_NAMES[sent.kind], sent.fields)
        command = submission.command
        if isinstance(command, Refused):
            raise Violation("P2", f"a call that can be made: {sent}, {command.message}")
        sent.arrived_at = command.origin.arrived_at
        at_ms = micros(sent.arrived_at) // 1000
        source = Source(topic=CALL, partition=0, offset=ticket, timestamp_ms=at_ms)
        command = replace(command, origin=replace(command.origin, source=source))
        sent.decision_id = command.decision_id if isinstance(command, Decide) else None
        record = replace(submission.record(), source=source)
        self._calls[ticket] = sent
        self._note(sent, CALL, ticket)
        return replace(submission, command=command, record=lambda: record, ticket=ticket)

    def answered(self, ticket: int, answer: Answer) -> None:
        """A call has its answer."""
        self._calls[ticket].answers.append(answer)

    def put(self, sent: Sent, value: bytes | None = None) -> None:
        """A record for the intake: durable, so it must be settled whatever happens."""
        nowhere = Source(topic="", partition=0, offset=0, timestamp_ms=0)
        record = InboundRecord(
            kind="decision" if sent.kind == "decide" else "command",
            value=_spelt(sent) if value is None else value,
            channel="topic",
            source=nowhere,
        )
        offset = done(self._intake.put(record))
        record = done(self._intake.take(offset - 1, 1))[0]
        sent.durable, sent.arrived_at = True, moment(record.source.timestamp_ms * 1000)
        command = self.read(record).command
        if isinstance(command, StartRun):
            sent.run_id = command.run_id
        if sent.decision_id is None and sent.kind == "decide":
            sent.decision_id = f"{TOPIC}:0:{offset}:{record.source.timestamp_ms}"
        self._note(sent, TOPIC, offset)

    def report(self, value: bytes) -> None:
        """The end of a step, as an engine sends it that lost the partition; nobody's submission."""
        nowhere = Source(topic="", partition=0, offset=0, timestamp_ms=0)
        record = InboundRecord(kind="command", value=value, channel="engine", source=nowhere)
        self.reports.append(done(self._intake.put(record)))

    def read(self, record: InboundRecord) -> Submission:
        """A record of the intake, as the embedded runtime reads it."""
        arrived_at = moment(record.source.timestamp_ms * 1000)
        command = read_inbound(record, arrived_at=arrived_at)
        if isinstance(command, StartRun):
            command = replace(command, seed=SEED)
        return Submission(command=command, record=lambda: record, settles=record.number)

    def _note(self, sent: Sent, topic: str, offset: int) -> None:
        sent.place = (topic, offset)
        self._oracle.sent[sent.place] = sent
        if sent.kind == "start":
            self.starts.append(sent)
        self._history.say("sends", sent)


def _spelt(sent: Sent) -> bytes:
    name = _NAMES[sent.kind]
    return decision_json(**sent.fields) if name == "Decide" else command_json(name, **sent.fields)
