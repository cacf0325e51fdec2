"""Gates whose time was over while no engine ran: who decided in time wins, in any partition."""

import json
import time
from collections.abc import Mapping

from tests.integration.engine import wait_until
from tests.integration.engines import PARTITIONS, World, ended, tokens
from tests.integration.runs import run_ids
from tests.kafka.records import Outgoing, Record

SECONDS = 4
"""From the pause to the deadline: long enough to kill an engine and publish what counts."""
STUCK = 1
"""The partition that nobody serves."""
HOMES = {run_id: home for home in range(PARTITIONS) for run_id in run_ids(home, PARTITIONS)}


def paused(world: World, *run_ids: str) -> dict[str, str]:
    """Start an engine and these runs: their tokens. The engine is killed then."""
    world.start()
    world.serves()
    with world.client.reader(world.topic("events")) as reader:
        world.publish(*(world.starting(each, "lasting", seconds=SECONDS) for each in run_ids))
        waiting = tokens(reader.until(lambda seen: len(tokens(seen)) == len(run_ids)))
    world.kill()
    return waiting


def decided(world: World, token: str, partition: int) -> Outgoing:
    """A decision in that partition, under a key that leads there."""
    return Outgoing(
        topic=world.topic("decisions"),
        value=json.dumps({"token": token, "verdict": "approve"}).encode(),
        key=run_ids(partition, 1)[0].encode(),
        partition=partition,
    )


def told(records: list[Record]) -> Mapping[str, set[str]]:
    """Run -> the names of its events."""
    found: dict[str, set[str]] = {}
    for record in records:
        kind = record.named.get("ce_type", b"").decode().rpartition(".")[2]
        found.setdefault((record.key or b"").decode(), set()).add(kind)
    return found


def is_over(world: World) -> None:
    """Wait until the time of all gates is over."""
    (*_, last) = (record.timestamp_ms for record in world.events())
    wait_until(lambda: time.time() > last / 1000 + SECONDS, "the deadlines are over")


def test_a_decision_in_time_wins_in_whichever_partition_it_came(world: World) -> None:
    """No engine ran at the deadlines, and the next one passes each on before a gate expires."""
    waiting = paused(world, *HOMES)
    world.publish(
        *(
            decided(world, token, (HOMES[run_id] + number) % PARTITIONS)
            for number, (run_id, token) in enumerate(waiting.items())
        )
    )
    is_over(world)

    with world.client.reader(world.topic("events")) as reader:
        world.start()
        events = told(reader.until(lambda seen: len(ended(seen)) == len(HOMES)))

    expired = {run_id for run_id, kinds in events.items() if "DecisionReceived" not in kinds}
    assert expired == set()
    assert world.audit().report().findings == ()


def test_a_partition_that_stands_still_stops_no_timer_of_others(world: World) -> None:
    """A corrupt event stops it; what waits there is not waited for by others for ever, and told."""
    mine = [run_id for run_id, home in HOMES.items() if home != STUCK]
    waiting = paused(world, *mine)
    corrupt = Outgoing(topic=world.topic("events"), value=b"garbage", partition=STUCK)
    world.publish(decided(world, next(iter(waiting.values())), STUCK), corrupt)

    with world.client.reader(world.topic("events")) as reader:
        world.start(script="impatient_engine.py")
        events = told(reader.until(lambda seen: len(ended(seen)) == len(mine)))
    line = world.until("decisions.stuck")

    assert {"GateClosed" in kinds for run_id, kinds in events.items() if run_id in mine} == {True}
    place = {"topic": world.topic("decisions"), "partition": STUCK, "level": "warning"}
    assert place.items() <= line.items()
