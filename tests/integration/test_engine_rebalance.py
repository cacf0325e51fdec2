"""Partitions that change hands while gates are open, run out and are decided."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from random import Random

import pytest

from hitl_events.domain.values import value
from tests.integration.counts import GATES, REBALANCES
from tests.integration.engines import World, ended, tokens
from tests.kafka.client import publish
from tests.kafka.records import Record
from tests.kafka.schemas import read_event

TURN_S = 8.0
"""About what it takes a second engine to join and to leave: decisions and timers are spread so."""
OPENING_S = 5 + GATES / 250
"""All gates are open before the first runs out, also on a busy machine."""
TICK_S = 0.05
LASTING_S = 3_600
US = 1_000_000


class Decisions:
    """One after the other at a steady rate; when each was in the log, by the broker's clock."""

    def __init__(self, world: World, waiting: Mapping[str, str]) -> None:
        self._world = world
        self._waiting = list(waiting.items())
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self.sent_ms: dict[str, int] = {}
        self._thread.start()

    def _go(self) -> None:
        ticks = REBALANCES * TURN_S / TICK_S
        at_a_time = max(1, round(len(self._waiting) / ticks))
        tick_s = REBALANCES * TURN_S * at_a_time / len(self._waiting)
        with self._world.client.producer() as producer:
            for first in range(0, len(self._waiting), at_a_time):
                some = self._waiting[first : first + at_a_time]
                decisions = [
                    self._world.deciding(token, decision_id=f"of-{run_id}")
                    for run_id, token in some
                ]
                for (run_id, _), record in zip(some, publish(producer, decisions), strict=True):
                    self.sent_ms[run_id] = record.timestamp_ms
                self._hurry.wait(tick_s)

    def end(self) -> None:
        """Send what is left at once."""
        self._hurry.set()
        self._thread.join(60)
        assert len(self.sent_ms) == len(self._waiting)


@value
class Told:
    """What the events say, by run."""

    expires_us: dict[str, int]
    expired_us: dict[str, list[int]]
    done: dict[str, Record]


def _told(records: list[Record]) -> Told:
    told = Told(expires_us={}, expired_us={}, done={})
    for record in records:
        name, event = read_event(record.value or b"")
        run_id: str = event["run_id"]
        if name == "GatePaused":
            told.expires_us[run_id] = _us(event["expires_at"])
        elif name == "GateClosed":
            assert event["reason"] == "expired"
            told.expired_us.setdefault(run_id, []).append(_us(event["recorded_at"]))
        elif name == "RunCompleted":
            told.done[run_id] = record
    return told


def _us(at: datetime) -> int:
    return round(at.timestamp() * US)


def _opened(world: World) -> dict[str, str]:
    """Half of the gates run out in the time of the loop, half are there to be decided."""
    random = Random(4711)
    with world.client.reader(world.topic("events")) as reader:
        world.publish(
            *(
                world.starting(f"decided-{number}", "lasting", seconds=LASTING_S)
                if number % 2
                else world.starting(
                    f"timed-{number}",
                    "lasting",
                    seconds=OPENING_S + random.uniform(0, REBALANCES * TURN_S),
                )
                for number in range(GATES)
            )
        )
        opened = tokens(reader.until(lambda seen: len(tokens(seen)) == GATES, 120))
    return {run_id: token for run_id, token in opened.items() if run_id.startswith("decided")}


@pytest.mark.timeout(180 + 30 * REBALANCES + GATES / 50)
def test_partitions_change_hands_with_gates_open(world: World) -> None:
    """A second engine joins and leaves: each timer fires once, each decision counts once."""
    world.start("one", static=False)
    world.serves("one")
    waiting = _opened(world)

    decisions = Decisions(world, waiting)
    for _ in range(REBALANCES):
        world.start("two", static=False)
        world.serves("one", "two")
        world.terminate("two")
        world.serves("one")
    decisions.end()
    with world.client.reader(world.topic("events")) as reader:
        records = reader.until(lambda seen: len(ended(seen)) == GATES, OPENING_S + 120)

    auditor = world.audit()
    auditor.expect((run_id, f"of-{run_id}") for run_id in waiting)
    assert auditor.report().findings == ()
    told = _told(records)
    assert len(told.expired_us) == GATES - len(waiting)
    assert {len(times) for times in told.expired_us.values()} == {1}
    assert not set(told.expired_us) & set(waiting)
    assert all(times[0] >= told.expires_us[run] for run, times in told.expired_us.items())
    _show(told, decisions.sent_ms)


def _show(told: Told, sent_ms: Mapping[str, int]) -> None:
    """The pause of a partition is the longest that a decision, or a timer, had to wait there."""
    pauses: Counter[int] = Counter()
    waited: list[int] = []
    for run_id, at_ms in sent_ms.items():
        done = told.done[run_id]
        waited.append(done.timestamp_ms - at_ms)
        pauses[done.partition] = max(pauses[done.partition], waited[-1])
    late_us = max(times[0] - told.expires_us[run] for run, times in told.expired_us.items())
    median = sorted(waited)[len(waited) // 2]
    print(f"\n{REBALANCES} x joined and left, {GATES} gates, {len(told.expired_us)} ran out")
    print(f"decision to done, ms: median {median}, longest by partition {dict(pauses)}")
    print(f"latest timer, ms: {late_us / 1000:.0f}")
