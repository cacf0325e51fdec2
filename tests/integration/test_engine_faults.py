"""Engines and brokers that die under load: nothing lost, nothing doubled, by an outside audit."""

import os
import signal
import threading
from collections.abc import Generator
from pathlib import Path
from random import Random

import pytest

from tests.integration.engines import World, ended, token_of, world_of
from tests.kafka.cluster import Cluster
from tests.kafka.records import Outgoing, Record
from tests.kafka.schemas import read_event

KILLS = int(os.environ.get("HITL_KAFKA_KILLS", "6"))
"""`HITL_KAFKA_KILLS=200` is the long loop, with the same code."""
WAVE = 60
"""Runs that are published at a time."""


@pytest.fixture
def world(broker: Cluster, prefix: str, tmp_path: Path) -> Generator[World]:
    """Topics, and no engine yet."""
    with world_of(broker, prefix, tmp_path) as made:
        yield made


class Load:
    """Starts runs, wave after wave, and approves each pause that it sees, until it is told to end.

    Every decision is acknowledged before it counts.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self.decided: list[tuple[str, str]] = []
        self.started = 0
        self.finished: set[str] = set()
        self.failure: Exception | None = None
        self._thread.start()

    def _go(self) -> None:
        try:
            with self._world.client.reader(self._world.topic("events")) as reader:
                while not self._enough.is_set() or len(self.finished) < self.started:
                    if not self._enough.is_set() and self.started - len(self.finished) < WAVE:
                        self._wave()
                    seen = reader.poll()
                    self._decide([each for each in seen if token_of(each) is not None])
                    self.finished |= ended(seen)
        except Exception as error:  # noqa: BLE001 - told by `end`, in the thread of the test
            self.failure = error

    def _wave(self) -> None:
        numbers = range(self.started, self.started + WAVE)
        self._world.publish(*(self._world.starting(f"run-{number}") for number in numbers))
        self.started += WAVE

    def _decide(self, pauses: list[Record]) -> None:
        decisions: list[Outgoing] = []
        for record in pauses:
            _, pause = read_event(record.value or b"")
            run_id, token = pause["run_id"], token_of(record) or ""
            if pause["pause_kind"] == "reconcile":
                decisions.append(self._word(run_id, token, pause["seq"]))
            else:
                decisions.append(self._world.deciding(token, decision_id=f"of-{run_id}"))
                self.decided.append((run_id, f"of-{run_id}"))
        if decisions:
            self._world.publish(*decisions)

    def _word(self, run_id: str, token: str, seq: int) -> Outgoing:
        """A process died in the step: say whether it happened, as whoever looks outside can."""
        happened = self._world.effects()[f"{run_id}:publish:1"] > 0
        verdict = "happened" if happened else "did_not_happen"
        return self._world.deciding(token, verdict, decision_id=f"word-{run_id}-{seq}")

    def has_finished(self, runs: int, within_s: float = 90) -> None:
        """Wait until so many more runs are complete."""
        wanted = len(self.finished) + runs
        pause = threading.Event()
        for _ in range(int(within_s / 0.05)):
            if len(self.finished) >= wanted or self.failure is not None:
                return
            pause.wait(0.05)
        found = f"{len(self.finished)} of {wanted}"
        raise AssertionError(f"expected the load to go on, found it standing at {found}")

    def end(self, within_s: float = 120) -> None:
        """Let all that was started finish."""
        self._enough.set()
        self._thread.join(within_s)
        if self.failure is not None:
            raise self.failure
        assert not self._thread.is_alive(), f"{len(self.finished)} of {self.started} finished"


def _audited(world: World, load: Load) -> None:
    auditor = world.audit()
    auditor.expect(load.decided)
    report = auditor.report()
    assert report.findings == (), str(report)
    assert len(load.decided) == load.started == len(load.finished)
    effects = world.effects()
    assert max(effects.values()) == 1
    assert len(effects) == load.started


@pytest.mark.timeout(60 + 20 * KILLS)
def test_engines_are_killed_under_load(world: World) -> None:
    """One of two engines gets SIGKILL, again and again; each acknowledged decision counts once."""
    random = Random(4711)
    for name in ("one", "two"):
        world.start(name)
    load = Load(world)
    load.has_finished(WAVE)

    for _ in range(KILLS):
        name = random.choice(("one", "two"))
        world.kill(name)
        world.start(name)
        load.has_finished(random.choice((1, 20, WAVE)))
    load.end()

    _audited(world, load)


@pytest.mark.timeout(240)
def test_a_frozen_engine_appends_nothing_when_it_wakes(world: World) -> None:
    """SIGSTOP until another has its partitions, then SIGCONT: it was fenced, and joins again."""
    for name in ("one", "two"):
        world.start(name)
    load = Load(world)
    load.has_finished(WAVE)

    for _ in range(2):
        world.signal(signal.SIGSTOP, "one")
        load.has_finished(2 * WAVE)
        world.signal(signal.SIGCONT, "one")
        load.has_finished(WAVE)
    load.end()

    _audited(world, load)


@pytest.mark.timeout(240)
def test_the_broker_is_killed_under_load(world: World) -> None:
    """The only node dies and comes back: the engine lives through it, and nothing is lost."""
    if not world.cluster.is_ours:
        pytest.skip("the cluster that HITL_KAFKA_BOOTSTRAP names is not ours to kill")
    world.start()
    load = Load(world)
    load.has_finished(WAVE)

    for _ in range(2):
        world.cluster.kill()
        world.cluster.start()
        load.has_finished(WAVE)
    load.end()

    _audited(world, load)
