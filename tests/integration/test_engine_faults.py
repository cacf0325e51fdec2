"""Engines and brokers that die under load: nothing lost, nothing doubled, by an outside audit."""

import signal
from collections.abc import Generator
from pathlib import Path
from random import Random

import pytest

from tests.integration.counts import BROKER_KILLS, FREEZES, KILLS, LEADER_KILLS
from tests.integration.engine import wait_until
from tests.integration.engines import PARTITIONS, World, world_of
from tests.integration.load import WAVE, Load
from tests.kafka.cluster import Cluster
from tests.kafka.records import Outgoing

ENGINES = ("one", "two")
COORDINATORS = ("__transaction_state", "__consumer_offsets")


@pytest.fixture
def replicated(three_nodes: Cluster, prefix: str, tmp_path: Path) -> Generator[World]:
    """The same on three nodes."""
    with world_of(three_nodes, prefix, tmp_path) as made:
        yield made


def _loaded(world: World, *names: str) -> Load:
    for name in names:
        world.start(name)
    world.serves(*names)
    load = Load(world)
    load.has_finished(WAVE)
    return load


@pytest.mark.timeout(120 + 30 * KILLS)
def test_engines_are_killed_under_load(world: World) -> None:
    """SIGKILL to one of two engines, or both, at any moment; each decision counts once.

    They come back at once, or when the other has taken over what they had.
    """
    random = Random(4711)
    load = _loaded(world, *ENGINES)

    for _ in range(KILLS):
        killed = random.choice((ENGINES[:1], ENGINES[1:], ENGINES[:1], ENGINES[1:], ENGINES))
        for name in killed:
            world.kill(name)
        if killed != ENGINES and random.random() < 0.25:
            # more than can be at work: some that were its are done by the other
            load.has_finished(2 * WAVE)
        for name in killed:
            world.start(name)
        load.has_finished(random.randrange(1, 2 * WAVE), and_s=random.uniform(0, 0.3))

    load.audited()


@pytest.mark.timeout(120 + 60 * FREEZES)
def test_a_frozen_engine_appends_nothing_when_it_wakes(world: World) -> None:
    """SIGSTOP until another has its partitions, then SIGCONT: it was fenced, and lets go in 10 s.

    It wakes amid the work of the other, and where nobody works: then nothing at all is appended.
    """
    random = Random(4711)
    load = _loaded(world, *ENGINES)

    for number in range(FREEZES):
        load.has_finished(random.randrange(1, 2 * WAVE), and_s=random.uniform(0, 0.3))
        world["one"].signal(signal.SIGSTOP)
        world.serves("two")
        if number % 2:
            _wakes_at_rest(world, load)
        else:
            _wakes(world)
        if world["one"].has_ended:
            world.start("one")
        world.serves(*ENGINES)

    load.audited(frozen=True)


def _wakes(world: World) -> None:
    with world["one"].leaving():
        world["one"].signal(signal.SIGCONT)


def _wakes_at_rest(world: World, load: Load) -> None:
    load.rest()
    with world.client.reader(world.topic("events"), committed=False) as reader:
        reader.to_end()
        _wakes(world)
        assert reader.to_end() == []
    load.go_on()


@pytest.mark.timeout(120 + 60 * BROKER_KILLS)
def test_the_broker_is_killed_under_load(world: World) -> None:
    """The only node dies and comes back: the engine lives through it, and nothing is lost."""
    if not world.cluster.is_ours:
        pytest.skip("the cluster that HITL_KAFKA_BOOTSTRAP names is not ours to kill")
    random = Random(4711)
    load = _loaded(world, "one")

    for _ in range(BROKER_KILLS):
        world.cluster.kill()
        world.cluster.start()
        load.has_finished(random.randrange(1, 2 * WAVE), and_s=random.uniform(0, 0.3))

    load.audited()


def test_a_broker_that_comes_back_sets_nothing_back(world: World) -> None:
    """What was refused before it went is not taken again: it is a dead letter once."""
    if not world.cluster.is_ours:
        pytest.skip("the cluster that HITL_KAFKA_BOOTSTRAP names is not ours to kill")
    load = _loaded(world, "one")
    topics = [world.topic(name) for name in ("commands", "decisions")]
    bad = [Outgoing(topic=each, value=b"{", key=bytes([n])) for each in topics for n in range(8)]
    with world.client.reader(world.topic("dead-letters")) as letters:
        world.publish(*bad)
        letters.until(lambda seen: len(seen) == len(bad))

        world.cluster.kill()
        world.cluster.start()
        load.has_finished(2 * WAVE)
        load.audited()

        assert letters.to_end() == []


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_an_engine_ends_while_its_broker_is_away(world: World, how: str) -> None:
    """SIGTERM amid its work, with nobody to answer: it ends in its time and forgets nothing."""
    if not world.cluster.is_ours:
        pytest.skip("the cluster that HITL_KAFKA_BOOTSTRAP names is not ours to kill")
    world.start()
    world.serves()
    with world.client.reader(world.topic("events")) as reader:
        world.publish(*(world.starting(f"run-{number}") for number in range(10 * WAVE)))
        reader.until(lambda seen: len(seen) > WAVE)

    cluster = world.cluster
    away, back = (
        (cluster.kill, cluster.start) if how == "killed" else (cluster.freeze, cluster.thaw)
    )
    away()
    try:
        world.terminate()
    finally:
        back()

    assert world.audit().report().findings == ()


@pytest.mark.timeout(180 + 60 * LEADER_KILLS)
def test_a_leader_is_killed_under_load(replicated: World) -> None:
    """One of three nodes, which leads a partition of the events, dies: another goes on."""
    load = _loaded(replicated, *ENGINES)
    cluster, events = replicated.cluster, replicated.topic("events")

    for number in range(LEADER_KILLS):
        leader = replicated.client.admin.leaders(events)[number % PARTITIONS]
        cluster.kill(leader)
        load.has_finished(2 * WAVE)
        cluster.start(leader)
        wait_until(lambda: _all_in_sync(replicated, events), "all nodes are in sync")
        load.has_finished(WAVE)

    load.audited()


def _all_in_sync(world: World, events: str) -> bool:
    """Else the next that dies could be the last that has a record."""
    admin = world.client.admin
    counts = [count for topic in (events, *COORDINATORS) for count in admin.in_sync(topic).values()]
    return set(counts) == {3}
