"""Steps that run while their partitions change hands, on a real broker."""

import os
from pathlib import Path

from hitl_events.adapters.kafka.partitioning import partition_of
from tests.integration.engine import wait_until
from tests.integration.engines import PARTITIONS, World, ended, tokens
from tests.kafka.records import Outgoing, Record


class Held:
    """One run in each partition, whose `once` step is at work until its pipe is written to."""

    def __init__(self, world: World) -> None:
        self._world = world
        names = (f"held-{number}" for number in range(1000))
        found = {partition_of(name, PARTITIONS): name for name in names}
        self.runs = sorted(found.values())
        for run_id in self.runs:
            os.mkfifo(self._pipe(run_id))

    def _pipe(self, run_id: str) -> Path:
        return self._world.folder / f"pipe-{run_id}"

    def begin(self, recipe: str = "held") -> None:
        """All steps are at work."""
        self._world.publish(*(self._world.starting(run_id, recipe) for run_id in self.runs))
        wait_until(lambda: len(self._world.effects()) == len(self.runs), "all steps have begun")

    def end(self) -> None:
        """All steps end; an error where nobody is at work any more."""
        for run_id in self.runs:
            pipe = os.open(self._pipe(run_id), os.O_WRONLY | os.O_NONBLOCK)
            os.write(pipe, b"out")
            os.close(pipe)


def _kinds(records: list[Record]) -> list[str]:
    return [record.named["ce_type"].decode().removeprefix("hitl.v1.") for record in records]


def test_a_step_ends_in_the_process_in_which_it_began(world: World) -> None:
    """A second engine takes half of the partitions over while a step runs in each.

    The first engine joins those of the partitions that it gets back; the ends of the others are
    recorded by the second one. No step runs twice, and nobody is asked about any.
    """
    held = Held(world)
    world.start("one")
    world.serves("one")
    held.begin()
    world.start("two")
    world.serves("one", "two")

    with world.client.reader(world.topic("events")) as reader:
        before = reader.to_end()
        assert sorted(_kinds(before)) == ["RunStarted"] * 4 + ["StepStarted"] * 4
        held.end()
        after = reader.until(lambda seen: len(ended(seen)) == PARTITIONS)

    assert sorted(_kinds(after)) == ["RunCompleted"] * 4 + ["StepCompleted"] * 4
    assert set(world.effects().values()) == {1}
    assert world.audit().report().findings == ()


def test_the_end_of_a_process_waits_for_no_step(world: World) -> None:
    """SIGTERM while a step hangs: it exits in time, and the next owner asks what became of it."""
    held = Held(world)
    world.start()
    world.serves()
    held.begin("endless")
    world.terminate()

    with world.client.reader(world.topic("events")) as reader:
        world.start()
        asked = reader.until(lambda seen: len(tokens(seen)) == PARTITIONS)

    assert sorted(_kinds(asked)) == ["GatePaused"] * 4 + ["RunStarted"] * 4 + ["StepStarted"] * 4
    assert set(world.effects().values()) == {1}


def test_a_report_that_nobody_proved_is_a_dead_letter(world: World) -> None:
    """Whoever can write to the topic of commands can not end a step."""
    held = Held(world)
    world.start()
    world.serves()
    held.begin()
    forged = (
        b'{"type":"StepReported","run_id":"%b","step":"hold","occurrence":1,"kind":"step",'
        b'"attempt":1,"args_digest":"0000000000000000","duration_us":1,"result":"completed"}'
    )

    with world.client.reader(world.topic("dead-letters")) as reader:
        topic = world.topic("commands")
        world.publish(*(Outgoing(topic=topic, value=forged % run.encode()) for run in held.runs))
        letters = reader.until(lambda seen: len(seen) == len(held.runs))
    held.end()
    with world.client.reader(world.topic("events")) as reader:
        reader.until(lambda seen: len(ended(seen)) == PARTITIONS)

    assert {letter.named["hitl-dlq-reason"] for letter in letters} == {b"invalid_command"}
    assert world.audit().report().findings == ()
