"""Runs as the world outside has them: it starts and decides them, and sees them pause and end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count

from confluent_kafka import Message, Producer

from benchmarks.kafka.sight import Sight
from hitl_events.adapters.kafka.topics import Topics
from hitl_events.domain.values import value
from tests.kafka.client import Client, publish
from tests.kafka.reader import Reader
from tests.kafka.records import Outgoing

RECIPE = "benchmark"
"""A step, a gate, a step: after its decision a run takes two transactions."""
SHORT = "decided"
"""A step and a gate: the decision ends the run, in one transaction."""
PAUSED = ("ce_type", b"hitl.v1.GatePaused")
COMPLETED = ("ce_type", b"hitl.v1.RunCompleted")
WAVE = 10_000
"""Runs that are brought to their end together: what the client holds of them is bounded."""


@value
class Gate:
    """A pause: its run, the partition of the run, and the token that it issued."""

    run_id: bytes
    partition: int
    token: str


class Runs:
    """The runs of one prefix; `alive` tells whether its engines are."""

    def __init__(self, bootstrap: str, prefix: str, alive: Callable[[], bool]) -> None:
        self.topics = Topics(prefix)
        self.client = Client(bootstrap)
        self._bootstrap = bootstrap
        self._alive = alive
        self._numbers = count()

    def sight(self, *, in_pieces: bool = False) -> Sight:
        """Of the event topic, from now on."""
        return Sight(self._bootstrap, self.topics.events, self._alive, in_pieces=in_pieces)

    def start(self, runs: int, recipe: str = RECIPE) -> None:
        """All acknowledged, under their own keys."""
        with self.client.producer(linger_ms=5) as producer:
            publish(producer, [self._start(recipe) for _ in range(runs)])

    def decide(self, gates: Sequence[Gate]) -> None:
        """Approve; all acknowledged, under the keys of their runs."""
        with self.client.producer(linger_ms=5) as producer:
            publish(producer, [self.decision(gate) for gate in gates])

    def decision(self, gate: Gate) -> Outgoing:
        """The least that an external system writes."""
        body = {"token": gate.token, "verdict": "approve"}
        return _outgoing(self.topics.decisions, gate.run_id, body)

    def paused(self, runs: int, recipe: str = RECIPE) -> list[Gate]:
        """New ones, brought to their gates."""
        with self.sight(in_pieces=True) as sight:
            self.start(runs, recipe)
            return gates_of(sight.until(runs, is_paused))

    def finish(self, runs: int) -> None:
        """New ones, brought to their ends."""
        for done in range(0, runs, WAVE):
            wave = min(WAVE, runs - done)
            gates = self.paused(wave)
            with self.sight(in_pieces=True) as sight:
                self.decide(gates)
                checked(gates, sight.until(wave, is_completed))

    def _start(self, recipe: str) -> Outgoing:
        number = next(self._numbers)
        run_id = f"run-{number}"
        body = {"type": "StartRun", "recipe": recipe, "input": {"number": number}, "run_id": run_id}
        return _outgoing(self.topics.commands, run_id.encode(), body)


def is_paused(message: Message) -> bool:
    """It is the event of an opened gate."""
    return PAUSED in (message.headers() or ())


def is_completed(message: Message) -> bool:
    """It is the event of a run that has ended well."""
    return COMPLETED in (message.headers() or ())


def gates_of(messages: Sequence[Message]) -> list[Gate]:
    """The pauses; an error where a run paused twice."""
    gates: dict[bytes, Gate] = {}
    for message in messages:
        record = Reader.record(message)
        run_id, token = record.key or b"", record.named["hitl-token"].decode()
        gates[run_id] = Gate(run_id=run_id, partition=record.partition, token=token)
    if len(gates) != len(messages):
        raise RuntimeError(f"expected {len(messages)} runs that paused, found {len(gates)}")
    return list(gates.values())


def checked(gates: Sequence[Gate], completed: Sequence[Message]) -> None:
    """An error where what ended is not what was decided: a doubled or a lost run."""
    decided = {gate.run_id for gate in gates}
    ended = [key_of(message) for message in completed]
    if len(ended) != len(gates) or set(ended) != decided:
        wanted = f"expected each of {len(gates)} decided runs to end once"
        raise RuntimeError(f"{wanted}, found {len(ended)} ends of {len(set(ended))} runs")


def key_of(message: Message) -> bytes:
    """The run of an event."""
    key = message.key()
    return key.encode() if isinstance(key, str) else key or b""


def produce(producer: Producer, record: Outgoing) -> float:
    """Hand it to the client at once; the moment of that."""
    began_s = time.perf_counter()
    producer.produce(record.topic, record.value, record.key, headers=list(record.headers))
    producer.poll(0)
    return began_s


def _outgoing(topic: str, key: bytes, body: Mapping[str, object]) -> Outgoing:
    return Outgoing(topic=topic, key=key, value=json.dumps(body).encode())
