"""An independent audit of an event topic: bytes in, faults out.

It shares nothing with the library but `schemas/`: its own client, its own decoding, its own idea
of what a right history is. It holds a small state per run, so a topic of any length can be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from hitl_events.domain.values import value
from tests.kafka.client import Client
from tests.kafka.records import Record
from tests.kafka.schemas import Unreadable, read_event

Rule = Literal[
    "unreadable",  # not exactly one event of a released schema
    "misplaced",  # the key is not the run, or the run is in two partitions (a fork)
    "gap",  # a seq was left out
    "doubled",  # a seq a second time
    "digest",  # prev_digest is not the SHA-256 of the predecessor's bytes
    "start",  # RunStarted is not the first event, or not the only one
    "gate_closed_twice",  # more than one closing decision, or one for a gate that was never open
    "gate_left_open",  # the run is complete, a gate of it is not
    "decision_doubled",  # one decision id stands twice in the run
    "source_doubled",  # one inbound record became two events
    "step_doubled",  # a step was completed twice, or anything became of it afterwards
    "ended_twice",  # more than one end
    "after_end",  # an event after the end that is no DecisionRejected
    "lost",  # an acknowledged decision became nothing
]

ENDS = frozenset({"RunCompleted", "RunFailed", "RunCancelled"})
STEPS = frozenset({"StepStarted", "StepCompleted", "StepFailed"})
DECISIONS = frozenset({"DecisionReceived", "DecisionRejected"})
SHOWN_MAX = 10
AUDIT_S_MAX = 600.0
"""A million events, on a machine that does something else as well."""


@value
class Finding:
    """One fault and where it stands."""

    rule: Rule
    run_id: str
    seq: int
    place: str
    what: str


@value
class Report:
    """What was counted and what was found."""

    runs: int
    events: int
    types: Counter[str]
    findings: tuple[Finding, ...]

    @property
    def counts(self) -> dict[Rule, int]:
        """Findings per rule; empty is sound."""
        return dict(Counter(finding.rule for finding in self.findings))

    def __str__(self) -> str:
        first = "".join(f"\n  {finding}" for finding in self.findings[:SHOWN_MAX])
        return f"{self.runs} runs, {self.events} events, faults: {self.counts}{first}"


@dataclass(slots=True)
class _Run:
    """What must be kept of a run to judge its next event."""

    place: tuple[str, int]
    seq: int = 0
    head: bytes = bytes(32)
    ended: str = ""
    open: set[tuple[str, int]] = field(default_factory=set)
    decisions: set[str] = field(default_factory=set)
    completed: set[tuple[str, str, int]] = field(default_factory=set)


class Auditor:
    """Takes the records of event topics in the order of their partitions, then reports."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}
        self._sources: set[tuple[str, int, int, int]] = set()
        self._types: Counter[str] = Counter()
        self._findings: list[Finding] = []

    def take(self, records: Iterable[Record]) -> None:
        """Judge these after all that came before."""
        for record in records:
            self._take(record)

    def expect(self, decisions: Iterable[tuple[str, str]]) -> None:
        """Every acknowledged (run_id, decision_id) must have become an event of its run."""
        for run_id, decision_id in decisions:
            run = self._runs.get(run_id)
            if run is None or decision_id not in run.decisions:
                self._find("lost", run_id, 0, "", f"decision {decision_id} became no event")

    def ended(self) -> dict[str, str]:
        """The runs that have ended, and the event that ended each."""
        return {run_id: run.ended for run_id, run in self._runs.items() if run.ended}

    def report(self) -> Report:
        """All findings so far."""
        return Report(
            runs=len(self._runs),
            events=self._types.total(),
            types=self._types,
            findings=tuple(self._findings),
        )

    def _take(self, record: Record) -> None:
        place = f"{record.topic}:{record.partition}:{record.offset}"
        data = record.value or b""
        try:
            name, event = read_event(data)
        except Unreadable as error:
            self._find("unreadable", str(record.key), 0, place, str(error))
            return
        self._types[name] += 1
        run_id, seq = str(event["run_id"]), int(event["seq"])
        run = self._runs.setdefault(run_id, _Run(place=(record.topic, record.partition)))
        faults = _placed(run, record, run_id) + _chained(run, name, event)
        faults += self._caused(event) + _allowed(run, name, event)
        for rule, what in faults:
            self._find(rule, run_id, seq, place, what)
        run.seq, run.head = max(run.seq, seq), sha256(data).digest()

    def _caused(self, event: dict[str, Any]) -> list[tuple[Rule, str]]:
        source = event.get("source")
        if source is None:
            return []
        key = (source["topic"], source["partition"], source["offset"], source["timestamp_ms"])
        if key in self._sources:
            return [("source_doubled", f"the record at {key} became an event before")]
        self._sources.add(key)
        return []

    def _find(self, rule: Rule, run_id: str, seq: int, place: str, what: str) -> None:
        self._findings.append(Finding(rule=rule, run_id=run_id, seq=seq, place=place, what=what))


def audit(client: Client, *topics: str) -> Auditor:
    """Everything in these event topics, read committed, from offset 0 to the end."""
    auditor = Auditor()
    with client.reader(*topics) as reader:
        for records in reader.pieces(AUDIT_S_MAX):
            auditor.take(records)
    return auditor


def _placed(run: _Run, record: Record, run_id: str) -> list[tuple[Rule, str]]:
    found: list[tuple[Rule, str]] = []
    if record.key != run_id.encode():
        found.append(("misplaced", f"expected the run as key, found {record.key!r}"))
    if run.place != (record.topic, record.partition):
        found.append(("misplaced", f"expected it in {run.place}"))
    return found


def _chained(run: _Run, name: str, event: dict[str, Any]) -> list[tuple[Rule, str]]:
    found: list[tuple[Rule, str]] = []
    seq = event["seq"]
    if seq > run.seq + 1:
        found.append(("gap", f"expected event {run.seq + 1}"))
    if seq <= run.seq:
        found.append(("doubled", f"expected event {run.seq + 1}"))
    if event["prev_digest"] != run.head:
        found.append(("digest", f"expected {run.head.hex()}"))
    if (name == "RunStarted") != (run.seq == 0):
        found.append(("start", f"{name} after {run.seq} events"))
    return found


def _allowed(run: _Run, name: str, event: dict[str, Any]) -> list[tuple[Rule, str]]:
    """What the event may not do after those before it."""
    found: list[tuple[Rule, str]] = []
    if run.ended and name in ENDS:
        found.append(("ended_twice", f"{name} after {run.ended}"))
    elif run.ended and name != "DecisionRejected":
        found.append(("after_end", f"{name} after {run.ended}"))
    if name in DECISIONS:
        found += _decided(run, event)
    if name in STEPS:
        found += _stepped(run, name, event)
    gate = (event.get("gate"), event.get("occurrence"))
    if name == "GatePaused":
        run.open.add((event["gate"], event["occurrence"]))
    elif name == "GateClosed" or (name == "DecisionReceived" and event["resolution"] is not None):
        found += _closed(run, gate)
    elif name == "DecisionReceived" and gate not in run.open:
        found.append(("gate_closed_twice", f"a decision for {gate}, which is not open"))
    elif name == "CancelRequested":
        run.open.clear()
    if name in ENDS:
        if name == "RunCompleted" and run.open:
            found.append(("gate_left_open", f"{sorted(run.open)}"))
        run.ended = name
    return found


def _decided(run: _Run, event: dict[str, Any]) -> list[tuple[Rule, str]]:
    """A refused decision under the id of another (`conflict`) binds no id of its own."""
    decision_id = event["decision_id"]
    if decision_id in run.decisions and event.get("reason") != "conflict":
        return [("decision_doubled", f"decision {decision_id} stands in the run before")]
    run.decisions.add(decision_id)
    return []


def _stepped(run: _Run, name: str, event: dict[str, Any]) -> list[tuple[Rule, str]]:
    step = (event["kind"], event["step"], event["occurrence"])
    if step in run.completed:
        return [("step_doubled", f"{name} of {step}, which is complete")]
    if name == "StepCompleted":
        run.completed.add(step)
    return []


def _closed(run: _Run, gate: tuple[Any, Any]) -> list[tuple[Rule, str]]:
    if gate not in run.open:
        return [("gate_closed_twice", f"{gate} is not open")]
    run.open.discard(gate)
    return []
