"""The auditor finds each fault by its name, and none where there is none."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.kafka.auditor import Auditor, Report, Rule, audit
from tests.kafka.cluster import Cluster
from tests.kafka.records import Outgoing, Record
from tests.kafka.schemas import write_event

HISTORIES = sorted((Path(__file__).parents[1] / "golden" / "histories").glob("*.jsonl"))
DIGEST = bytes(32)
DECISION = {
    "gate": "review",
    "occurrence": 1,
    "decision_id": "d-1",
    "content_digest": DIGEST,
    "verdict": "approve",
    "identity": "claimed",
    "channel": "topic",
}
STEP = {"step": "publish", "occurrence": 1, "kind": "step", "attempt": 1, "args_digest": bytes(8)}
SHAPES: dict[str, dict[str, Any]] = {
    "RunStarted": {
        "recipe": "r",
        "version": "1",
        "input": b"{}",
        "seed": bytes(16),
        "command_id": "c",
        "identity": "claimed",
        "channel": "topic",
    },
    "GatePaused": {
        "gate": "review",
        "occurrence": 1,
        "pause_kind": "human",
        "draft": b"null",
        "draft_digest": DIGEST,
        "verdicts": ["approve"],
        "token_kid": "k",
    },
    "DecisionReceived": DECISION | {"resolution": "approve"},
    "DecisionRejected": DECISION
    | {"decision_id": "d-2", "reason": "token_used", "message": "too late"},
    "GateClosed": {"gate": "review", "occurrence": 1, "reason": "expired"},
    "StepStarted": STEP,
    "StepCompleted": STEP | {"output": b"1", "duration_us": 1},
    "StepFailed": STEP | {"error": "E", "message": "m"},
    "CancelRequested": {
        "reason": "r",
        "identity": "claimed",
        "command_id": "c-2",
        "channel": "topic",
    },
    "RunCompleted": {"result": b"1"},
    "RunFailed": {"code": "step.failed", "message": "m"},
    "RunCancelled": {"reason": "r"},
}
SOUND = ("RunStarted", "GatePaused", "DecisionReceived", "StepCompleted", "RunCompleted")


class Topic:
    """An event topic in the making: each event follows its run's last one, unless told else."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._heads: dict[str, tuple[int, bytes]] = {}

    def add(self, name: str, run_id: str = "a", **changed: Any) -> None:
        """An event; `changed` are fields of it."""
        seq, head = self._heads.get(run_id, (0, DIGEST))
        envelope: dict[str, Any] = {
            "run_id": run_id,
            "seq": seq + 1,
            "recorded_at": 1,
            "prev_digest": head,
        }
        fields = envelope | SHAPES[name] | changed
        data = write_event(name, fields)
        self._heads[run_id] = (fields["seq"], sha256(data).digest())
        self.put(data, key=run_id.encode())

    def put(self, data: bytes | None, *, key: bytes = b"a", partition: int = 0) -> None:
        """Bytes as they are."""
        self.records.append(
            Record(
                topic="t.events",
                partition=partition,
                offset=len(self.records),
                timestamp_ms=1,
                key=key,
                value=data,
            )
        )

    def audited(self) -> Report:
        """All of it."""
        auditor = Auditor()
        auditor.take(self.records)
        return auditor.report()


def _topic(*names: str) -> Topic:
    topic = Topic()
    for name in names:
        topic.add(name)
    return topic


@pytest.mark.parametrize(
    "names",
    [
        SOUND,
        (*SOUND, "DecisionRejected"),
        ("RunStarted", "GatePaused", "GateClosed", "RunFailed", "DecisionRejected"),
        ("RunStarted", "GatePaused", "CancelRequested", "RunCancelled"),
        ("RunStarted", "StepStarted", "StepFailed", "StepStarted", "StepCompleted"),
    ],
)
def test_sound_histories_have_no_findings(names: tuple[str, ...]) -> None:
    """What an engine may write is found to be sound."""
    report = _topic(*names).audited()

    assert (report.counts, report.events) == ({}, len(names))


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_golden_histories_are_sound(path: Path) -> None:
    """Every kept history of a real engine passes."""
    topic = Topic()
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["type"] != "End":
            topic.put(base64.b64decode(entry["value"]), key=entry["run_id"].encode())

    report = topic.audited()

    assert topic.records
    assert report.counts == {}, str(report)


def _edited(topic: Topic) -> None:
    data = bytearray(topic.records[1].value or b"")
    data[-1] ^= 1  # the key id of the token: still readable
    topic.records[1] = Record(
        topic="t.events", partition=0, offset=1, timestamp_ms=1, key=b"a", value=bytes(data)
    )


def _source(topic: Topic) -> None:
    source = {"topic": "t.decisions", "partition": 0, "offset": 7, "timestamp_ms": 1}
    topic.add("DecisionRejected", source=source)
    topic.add("DecisionRejected", source=source, decision_id="d-3")


FAULTS: list[tuple[Rule, Callable[[Topic], object]]] = [
    ("unreadable", lambda topic: topic.put(None)),
    ("unreadable", lambda topic: topic.put(b"{}")),
    ("unreadable", lambda topic: topic.put(b"\xc3\x01" + bytes(8))),
    ("unreadable", lambda topic: topic.put((topic.records[0].value or b"")[:-1])),
    ("unreadable", lambda topic: topic.put((topic.records[0].value or b"") + b"\0")),
    ("gap", lambda topic: topic.add("DecisionRejected", seq=9)),
    ("doubled", lambda topic: topic.add("DecisionRejected", seq=5)),
    ("digest", lambda topic: topic.add("DecisionRejected", prev_digest=b"x" * 32)),
    ("digest", _edited),
    ("start", lambda topic: topic.add("GatePaused", run_id="b")),
    ("source_doubled", _source),
    ("decision_doubled", lambda topic: topic.add("DecisionRejected", decision_id="d-1")),
    ("ended_twice", lambda topic: topic.add("RunCompleted")),
    ("ended_twice", lambda topic: topic.add("RunFailed")),
    ("after_end", lambda topic: topic.add("GatePaused")),
]


@pytest.mark.parametrize(("rule", "spoil"), FAULTS)
def test_each_fault_is_found(rule: Rule, spoil: Callable[[Topic], object]) -> None:
    """One fault in a sound history is one finding, under its name."""
    topic = _topic(*SOUND)

    spoil(topic)

    assert topic.audited().counts == {rule: 1}, str(topic.audited())


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("gate_closed_twice", ("RunStarted", "GatePaused", "DecisionReceived", "GateClosed")),
        ("gate_closed_twice", ("RunStarted", "GateClosed")),
        ("gate_left_open", ("RunStarted", "GatePaused", "RunCompleted")),
        ("step_doubled", ("RunStarted", "StepCompleted", "StepCompleted")),
        ("step_doubled", ("RunStarted", "StepStarted", "StepCompleted", "StepStarted")),
        ("start", ("RunStarted", "RunStarted")),
    ],
)
def test_each_wrong_order_is_found(rule: Rule, names: tuple[str, ...]) -> None:
    """Events that are right alone and wrong together are one finding."""
    report = _topic(*names).audited()

    assert report.counts == {rule: 1}, str(report)


def test_a_second_closing_decision_is_found() -> None:
    """Two decisions that close one gate, under two ids, are a fault; so is a late vote."""
    topic = _topic("RunStarted", "GatePaused", "DecisionReceived")
    topic.add("DecisionReceived", decision_id="d-2")
    topic.add("DecisionReceived", decision_id="d-3", resolution=None)

    assert topic.audited().counts == {"gate_closed_twice": 2}


def test_votes_before_the_closing_one_are_sound() -> None:
    """A gate that needs two decisions closes with the second."""
    topic = _topic("RunStarted", "GatePaused")
    topic.add("DecisionReceived", resolution=None)
    topic.add("DecisionReceived", decision_id="d-2")

    assert topic.audited().counts == {}


def test_a_fork_is_found() -> None:
    """A run that goes on in another partition, or under another key, is misplaced."""
    topic = _topic("RunStarted")
    topic.add("GatePaused")
    data = topic.records.pop().value
    topic.put(data, partition=1)
    topic.add("DecisionReceived")
    topic.put(topic.records.pop().value, key=b"b")

    assert topic.audited().counts == {"misplaced": 2}


def test_a_lost_decision_is_found() -> None:
    """An acknowledged decision that no event of its run names is lost."""
    auditor = Auditor()
    auditor.take(_topic(*SOUND, "DecisionRejected").records)

    auditor.expect([("a", "d-1"), ("a", "d-2"), ("a", "d-3"), ("b", "d-1")])

    assert auditor.report().counts == {"lost": 2}
    assert auditor.ended() == {"a": "RunCompleted"}


def test_a_conflict_may_bear_the_id_of_another() -> None:
    """The refusal of other content under a used id is no doubled decision."""
    topic = _topic(*SOUND)
    topic.add("DecisionRejected", decision_id="d-1", reason="conflict")

    assert topic.audited().counts == {}


def test_a_topic_is_audited_as_committed(broker: Cluster, prefix: str) -> None:
    """On a broker the audit sees what was committed: an aborted second end is none."""
    client = broker.client()
    client.admin.create_topic(prefix)
    topic = _topic(*SOUND)
    client.publish(*(Outgoing(topic=prefix, key=b"a", value=each.value) for each in topic.records))
    with client.producer(transactional_id=prefix) as producer:
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(prefix, topic.records[-1].value, b"a")
        producer.flush(30)
        producer.abort_transaction(30)

    report = audit(client, prefix).report()

    assert (report.counts, report.runs, report.events) == ({}, 1, 5), str(report)
