"""`pending` is what is open, at every moment: by a count of its own of the records in the topic."""

from __future__ import annotations

import json
from contextlib import closing
from random import Random

from hitl_events.adapters.readmodel.opening import open_read_model
from hitl_events.adapters.readmodel.reader import Questions
from tests.integration.engines import World, tokens
from tests.integration.projectors import CODEC, Shown
from tests.kafka.open_gates import open_gates
from tests.kafka.records import Outgoing

MOMENTS = 8
WAVE = 10


def test_pending_has_no_ghosts(world: World) -> None:
    """Runs start, are decided, cancelled, or left, at random: no gate more is listed, none less."""
    shown, random = Shown(world), Random(42)
    world.start()
    shown.start("p-one")
    world.serves("p-one")
    moments: list[tuple[dict[int, int], set[str]]] = []
    waiting: dict[str, str] = {}
    with world.client.reader(world.topic("events")) as reader:
        for number in range(MOMENTS):
            world.publish(*(world.starting(f"run-{number}-{each}") for each in range(WAVE)))
            waiting |= tokens(reader.until(lambda seen: len(tokens(seen)) >= WAVE // 2))
            for run_id in random.sample(sorted(waiting), len(waiting) // 2):
                token = waiting.pop(run_id)
                world.publish(*_end_of(world, run_id, token, random))
                moments.append(_moment(shown.url))
    shown.has_all()
    moments.append(_moment(shown.url))

    records = world.events()
    for places, pending in moments:
        folded = [each for each in records if each.offset < places.get(each.partition, 0)]
        assert pending == open_gates(folded)
    assert len({len(pending) for _, pending in moments}) > 3
    assert moments[-1][1]


def _end_of(world: World, run_id: str, token: str, random: Random) -> list[Outgoing]:
    """A decision, with a second one that comes too late, or a cancellation."""
    if random.random() < 0.7:
        return [world.deciding(token), world.deciding(token, "deny")]
    body = {"type": "CancelRun", "run_id": run_id, "reason": "enough"}
    return [Outgoing(topic=world.topic("commands"), value=json.dumps(body).encode())]


def _moment(url: str) -> tuple[dict[int, int], set[str]]:
    """How far the read model is, and what it has as open, at one moment."""
    with closing(open_read_model(url, writable=False)) as database, database.snapshot():
        questions = Questions(database)
        places = questions.places()
        paused = [CODEC.decode(each.paused) for each in questions.open_pauses()]
    return places, {f"{event.run_id}.{event.seq}" for event in paused}
