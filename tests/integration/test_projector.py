"""Projectors on a real broker: what they fold is the fold, whoever dies or wakes meanwhile."""

import asyncio
import json
import signal
from collections.abc import Iterable
from random import Random

import pytest

from hitl_events.adapters.kafka.settings import KafkaSettings
from hitl_events.adapters.readmodel.opening import target_of
from hitl_events.client.topic import EventTopic
from hitl_events.readmodel.rebuilding import rebuild
from hitl_events.testing.histories import history_of
from hitl_events.testing.mixing import chained
from tests.acceptance.child import asked
from tests.integration.counts import PROJECTOR_KILLS
from tests.integration.engine import wait_until
from tests.integration.engines import PARTITIONS, World, ended, tokens
from tests.integration.kafka_made import settings_of
from tests.integration.load import WAVE, Load
from tests.integration.projectors import CODEC, Shown
from tests.integration.runs import run_ids
from tests.kafka.cluster import Cluster
from tests.kafka.records import Outgoing
from tests.postgres.server import Server

TWO = ("p-one", "p-two")


@pytest.fixture
def shown(world: World) -> Shown:
    """A read model that is empty."""
    return Shown(world)


def events(world: World, seed: int, partitions: range = range(PARTITIONS)) -> list[Outgoing]:
    """What an engine could have written: one run in each partition, a few events of each."""
    random = Random(seed)
    return [
        Outgoing(topic=world.topic("events"), value=value, key=run_id.encode(), partition=number)
        for number in partitions
        for run_id in run_ids(number, seed + 1)[-1:]
        for value in chained(history_of(random), run_id, CODEC)
    ]


def test_what_an_engine_writes_is_in_the_read_model(world: World, shown: Shown) -> None:
    """Events of every partition, markers between them; ready, no lag, and the fold of the topic."""
    world.start()
    shown.start("p-one", metrics_port="0")
    with world.client.reader(world.topic("events")) as reader:
        world.publish(*(world.starting(f"run-{number}") for number in range(24)))
        waiting = tokens(reader.until(lambda seen: len(tokens(seen)) == 24))
        world.publish(*map(world.deciding, list(waiting.values())[:12]))
        reader.until(lambda seen: len(ended(seen)) == 12)
    shown.is_the_fold()

    port = world.until("metrics.listening", "p-one")["port"]
    assert asked(port, "/readyz")[0] == 200
    wait_until(
        lambda: all(
            f'hitl_projector_lag_records{{partition="{number}"}} 0.0' in asked(port, "/metrics")[1]
            for number in range(PARTITIONS)
        ),
        "no lag is left",
    )
    folded = f"hitl_projector_events_total {len(world.events())}.0"
    assert folded in asked(port, "/metrics")[1]


@pytest.mark.timeout(120 + 20 * PROJECTOR_KILLS)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_projectors_are_killed_under_load(
    world: World, request: pytest.FixtureRequest, database: str
) -> None:
    """SIGKILL to one of two, or both, at any moment: what is left is the fold of the topic."""
    url = request.getfixturevalue("postgres_url") if database == "postgresql" else None
    shown, random = Shown(world, url), Random(4711)
    world.start()
    shown.start(*TWO)
    world.serves(*TWO)
    load = Load(world)

    for _ in range(PROJECTOR_KILLS):
        load.has_finished(random.randrange(1, WAVE), and_s=random.uniform(0, 0.3))
        killed = random.choice((TWO[:1], TWO[1:], TWO))
        for name in killed:
            world.kill(name)
        if killed != TWO and random.random() < 0.25:
            world.serves(*(name for name in TWO if name not in killed))
        shown.start(*killed)
    load.end()

    shown.is_the_fold()


def test_a_frozen_projector_writes_nothing_when_it_wakes(world: World, shown: Shown) -> None:
    """SIGSTOP until the other has its partitions, then SIGCONT: it is fenced, and shares again."""
    shown.start(*TWO)
    world.serves(*TWO)
    world.publish(*events(world, 1))
    shown.has_all()
    world["p-one"].signal(signal.SIGSTOP)
    world.serves("p-two")
    world.publish(*events(world, 2))
    shown.has_all()

    with world["p-one"].leaving():
        world["p-one"].signal(signal.SIGCONT)
    world.serves(*TWO)
    world.publish(*events(world, 3))

    shown.is_the_fold()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_rebuild_takes_the_place_under_a_projector(
    world: World, broker: Cluster, prefix: str, request: pytest.FixtureRequest, database: str
) -> None:
    """It is fenced, goes on in the new one, and nothing is missing or twice in that."""
    url = request.getfixturevalue("postgres_url") if database == "postgresql" else None
    shown = Shown(world, url)
    shown.start("p-one")
    world.serves("p-one")
    world.publish(*events(world, 1))
    shown.has_all()

    asyncio.run(_rebuilt(settings_of(broker, prefix), shown.url))
    world.publish(*events(world, 2))
    shown.is_the_fold()
    asyncio.run(_rebuilt(settings_of(broker, prefix), shown.url))
    world.publish(*events(world, 3))
    shown.is_the_fold()


async def _rebuilt(settings: KafkaSettings, url: str) -> None:
    async with EventTopic.open(settings) as topic:
        await rebuild(topic.sources(), target_of(url), lambda _: None)


def test_a_topic_made_anew_is_refused(world: World, shown: Shown) -> None:
    """All stand still and change nothing, also the one of which nothing was folded before."""
    shown.start("p-one")
    world.serves("p-one")
    world.publish(*events(world, 1, range(PARTITIONS - 1)))
    shown.has_all()
    world.terminate("p-one")
    before = shown.digest()
    world.client.admin.delete_topic(world.topic("events"))
    world.client.admin.create_topic(world.topic("events"), PARTITIONS)
    world.publish(*events(world, 2))

    shown.start("p-one", metrics_port="0")
    wait_until(lambda: _differing(world["p-one"].said) == set(range(PARTITIONS)), "all differ")
    status, answer = asked(world.until("metrics.listening", "p-one")["port"], "/readyz")
    assert (status, "hitl rebuild" in answer) == (503, True)
    assert shown.digest() == before


def _differing(said: Iterable[str]) -> set[int]:
    told = [json.loads(line) for line in said if "partition.differs" in line]
    return {line["partition"] for line in told}


def test_a_record_that_is_no_event_stops_its_partition(world: World, shown: Shown) -> None:
    """What stands before it is folded, nothing after it; the place is told, the others go on."""
    good, later = events(world, 1), events(world, 2)
    bad = Outgoing(topic=world.topic("events"), value=b"no event", partition=1)
    shown.start("p-one")
    world.serves("p-one")

    world.publish(*good)
    (placed,) = world.publish(bad)
    told = world.until("partition.corrupt", "p-one")
    world.publish(*later)

    assert (told["topic"], told["partition"]) == (world.topic("events"), 1)
    assert told["offset"] == placed.offset
    ends = {each.partition: each.offset + 1 for each in world.events()}
    wait_until(
        lambda: shown.places() == {**ends, 1: placed.offset},
        "all others have all, and this one what stands before",
    )


def test_the_database_is_killed(world: World, postgres: Server, postgres_url: str) -> None:
    """No process ends for it: both projectors go on when it is back, and nothing is missing."""
    shown = Shown(world, postgres_url)
    shown.start(*TWO)
    world.serves(*TWO)
    world.publish(*events(world, 1))
    shown.has_all()

    postgres.kill()
    try:
        world.publish(*events(world, 2))
        for name in TWO:
            world.until("partition.lost", name)
    finally:
        postgres.start()
    world.publish(*events(world, 3))

    shown.is_the_fold()
    assert [world[name].has_ended for name in TWO] == [False, False]
