"""A record that is no event in our own topic of events: its partition stands still, loudly."""

import re
import shutil
from dataclasses import replace

import pytest

from tests.acceptance.child import asked
from tests.integration.engines import PARTITIONS, World, ended, tokens
from tests.integration.runs import run_ids
from tests.kafka.records import Outgoing, Record
from tests.kafka.schemas import read_event

BAD = 1
"""The partition that gets the record; there is a run in each."""
RUNS = [run_ids(partition, 1)[0] for partition in range(PARTITIONS)]


def started(world: World) -> tuple[int, dict[str, str]]:
    """An engine with a paused run in each partition: its port, and the tokens."""
    world.start(HITL_METRICS_PORT="0")
    port = int(world.until("metrics.listening")["port"])
    with world.client.reader(world.topic("events")) as reader:
        world.publish(*(world.starting(run_id) for run_id in RUNS))
        return port, tokens(reader.until(lambda seen: len(tokens(seen)) == PARTITIONS))


def deciding(world: World, waiting: dict[str, str]) -> list[Outgoing]:
    """In the partitions of their runs: what comes to the bad one is not passed on."""
    return [
        replace(world.deciding(token), key=run_id.encode()) for run_id, token in waiting.items()
    ]


def restarted(world: World) -> int:
    """Its port."""
    world.start(HITL_METRICS_PORT="0")
    return int(world.until("metrics.listening")["port"])


def spoil(world: World, value: bytes | None = b"garbage") -> Record:
    """Write what no engine writes, with a producer of its own."""
    topic = world.topic("events")
    (bad,) = world.publish(Outgoing(topic=topic, key=b"k", value=value, partition=BAD))
    return bad


def stands_still(world: World, port: int, bad: Record, waiting: dict[str, str]) -> None:
    """The others are served; log, metrics and `/readyz` name partition and offset."""
    told = world.until("partition.corrupt")
    with world.client.reader(world.topic("events")) as reader:
        reader.to_end()
        world.publish(*deciding(world, waiting))
        done = ended(reader.until(lambda seen: len(ended(seen)) == PARTITIONS - 1))

    place = {"topic": bad.topic, "partition": BAD, "offset": bad.offset}
    assert {"level": "error", **place}.items() <= told.items()
    assert done == set(RUNS) - {RUNS[BAD]}
    page = asked(port, "/metrics")[1]
    ready = dict(re.findall(r'^hitl_partition_ready\{partition="(\d)"\} (\S+)', page, re.MULTILINE))
    assert ready == {str(number): f"{number != BAD:.1f}" for number in range(PARTITIONS)}
    assert f'hitl_partition_corrupt_offset{{partition="{BAD}"}} {bad.offset:.1f}' in page
    status, said = asked(port, "/readyz")
    assert (status, f"{bad.topic}-{BAD}, offset {bad.offset}" in said) == (503, True)


@pytest.mark.parametrize("value", [b"garbage", None], ids=["garbage", "tombstone"])
def test_it_is_found_where_all_is_read_anew(world: World, value: bytes | None) -> None:
    """The engine was down and its state is gone."""
    _, waiting = started(world)
    world.kill()
    shutil.rmtree(world.folder / "one")
    bad = spoil(world, value)

    stands_still(world, restarted(world), bad, waiting)


def test_it_is_found_behind_the_local_state(world: World) -> None:
    """The engine was down and its state is there: what comes after it is read."""
    _, waiting = started(world)
    world.kill()
    bad = spoil(world)

    stands_still(world, restarted(world), bad, waiting)


def test_it_is_found_while_an_engine_serves(world: World) -> None:
    """With the next batch of that partition: its events did not land where they had to."""
    port, waiting = started(world)
    bad = spoil(world)
    world.publish(*deciding(world, {RUNS[BAD]: waiting.pop(RUNS[BAD])}))

    stands_still(world, port, bad, waiting)


def test_an_event_that_was_written_twice_is_found(world: World) -> None:
    """It is one of ours and can be read, and does not follow its predecessor."""
    _, waiting = started(world)
    world.kill()
    shutil.rmtree(world.folder / "one")
    (pause,) = (
        record
        for record in world.events()
        if record.partition == BAD and read_event(record.value or b"")[0] == "GatePaused"
    )
    bad = spoil(world, pause.value)

    stands_still(world, restarted(world), bad, waiting)


def test_what_was_never_committed_is_no_record(world: World) -> None:
    """Somebody's aborted transaction moves the offsets: looked at, and the partition goes on."""
    _, waiting = started(world)
    topic = world.topic("events")
    with world.client.producer(transactional_id=world.topic("foreign")) as producer:
        producer.init_transactions(10)
        producer.begin_transaction()
        producer.produce(topic, b"garbage", partition=BAD)
        producer.flush(10)
        producer.abort_transaction(10)
    with world.client.reader(topic) as reader:
        reader.to_end()
        world.publish(*deciding(world, waiting))
        done = ended(reader.until(lambda seen: len(ended(seen)) == PARTITIONS))

    world.terminate()
    assert done == set(RUNS)
    assert [line for line in world["one"].said if "partition.lost" in line] == []
    assert world.audit().report().findings == ()
