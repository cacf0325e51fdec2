"""The engine as a process on a real broker: anybody's records, bad, late and repeated ones."""

import json
import shutil

import pytest

from hitl_events.adapters.kafka.checkpoints import PARTITION_MARKS
from hitl_events.testing.poison import Target, poisons
from tests.integration.engine import wait_until
from tests.integration.engines import KEYS, PARTITIONS, World, ended, tokens
from tests.kafka.records import Outgoing, Record


def _paused(world: World, runs: int) -> dict[str, str]:
    """Start so many runs and wait for their tokens."""
    with world.client.reader(world.topic("events")) as reader:
        known = len(reader.to_end())
        world.publish(*(world.starting(f"run-{known}-{number}") for number in range(runs)))
        return tokens(reader.until(lambda seen: len(tokens(seen)) == runs))


def _finish(world: World, *decisions: Outgoing) -> set[str]:
    """Publish decisions and wait until as many runs are complete."""
    with world.client.reader(world.topic("events")) as reader:
        reader.to_end()
        world.publish(*decisions)
        return ended(reader.until(lambda seen: len(ended(seen)) == len(decisions)))


def test_decisions_come_from_anywhere(world: World) -> None:
    """No key, a wrong key, any partition: each closes the gate of its token, once."""
    world.start()
    waiting = _paused(world, 24)

    decisions = [
        Outgoing(
            topic=world.topic("decisions"),
            value=json.dumps({"token": token, "verdict": "approve"}).encode(),
            key=(None, b"wrong", run_id.encode())[number % 3],
            partition=number % PARTITIONS,
        )
        for number, (run_id, token) in enumerate(waiting.items())
    ]
    done = _finish(world, *decisions)

    assert done == set(waiting)
    assert world.audit().report().findings == ()
    assert world.effects() == dict.fromkeys((f"{run_id}:publish:1" for run_id in done), 1)


def test_bad_records_end_as_dead_letters_and_stop_nobody(world: World) -> None:
    """Every kind on both topics, byte for byte with its reason; the neighbours finish."""
    world.start()
    waiting = _paused(world, 2)
    (aimed_at, token), (_, other) = waiting.items()
    sent = poisons(Target(token=token, run_id=aimed_at, recipe="reviewed", keys=KEYS))
    topics = {"decision": world.topic("decisions"), "command": world.topic("commands")}
    bad = [
        Outgoing(
            topic=topics[poison.kind],
            value=None if poison.is_null else poison.value,
            key=poison.key,
            headers=poison.headers,
        )
        for poison in sent
    ]

    with world.client.reader(world.topic("dead-letters")) as reader:
        placed = world.publish(*bad)
        letters = reader.until(lambda seen: len(seen) >= len(sent))
    done = _finish(world, world.deciding(other), world.deciding(token))

    assert done == set(waiting)
    wanted = {
        (record.topic, record.partition, record.offset): (
            poison.reason,
            poison.key,
            None if poison.is_null else poison.value,
            poison.headers,
        )
        for poison, record in zip(sent, placed, strict=True)
    }
    assert {_origin(letter): _kept(letter) for letter in letters} == wanted
    assert world.audit().report().findings == ()


def _origin(letter: Record) -> tuple[str, int, int]:
    named = letter.named
    place = [named[f"hitl-dlq-{name}"].decode() for name in ("topic", "partition", "offset")]
    return place[0], int(place[1]), int(place[2])


def _kept(letter: Record) -> tuple[object, ...]:
    own = tuple(each for each in letter.headers if not each[0].startswith("hitl-dlq-"))
    return letter.named["hitl-dlq-reason"].decode(), letter.key, letter.value, own


@pytest.mark.parametrize("keeps_state", [True, False])
def test_what_comes_again_after_a_crash_changes_nothing(world: World, keeps_state: bool) -> None:
    """Starts and decisions of ended runs, the inbound topics read anew: no event, no step twice.

    With the local state and without it, from checkpoints or events; the committed offsets are gone.
    """
    world.start()
    waiting = _paused(world, 8)
    decisions = [world.deciding(token, decision_id="first") for token in waiting.values()]
    _finish(world, *decisions)
    before = {(record.partition, record.offset, record.value) for record in world.events()}
    world.kill()
    if not keeps_state:
        shutil.rmtree(world.folder / "one")
    world.forget_offsets()

    world.start()
    world.serves()
    world.publish(*(world.starting(run_id) for run_id in waiting), *decisions)
    later = _paused(world, 4)
    _finish(world, *map(world.deciding, later.values()))

    kept = [each for each in world.events() if (each.key or b"").decode() in waiting]
    assert {(record.partition, record.offset, record.value) for record in kept} == before
    assert world.audit().report().findings == ()
    assert max(world.effects().values()) == 1


def test_an_engine_starts_though_its_inputs_have_forgotten_all(world: World) -> None:
    """Also where markers of records that were passed on stand behind the last one."""
    world.start()
    waiting = _paused(world, 8)
    wait_until(lambda: _is_settled(world), "the group has settled its inputs to their ends")
    world.terminate()
    for topic in map(world.topic, ("commands", "decisions")):
        for partition, end in world.client.admin.end_offsets(topic).items():
            world.client.admin.delete_records(topic, partition, end)

    world.start()
    world.serves()

    assert _finish(world, *map(world.deciding, waiting.values())) == waiting.keys()


def _is_settled(world: World) -> bool:
    """Whether the group has committed the end of each partition of the commands."""
    admin, topic = world.client.admin, world.topic("commands")
    return admin.committed(f"{world.prefix}-engine", topic) == admin.end_offsets(topic)


def test_what_was_refused_is_not_carried_out_when_all_else_is_lost(world: World) -> None:
    """A command that came too early, read anew without offsets and state, does not come later.

    Where the partition had a quiet moment since: its mark says that this command was answered.
    """
    world.start()
    cancel = json.dumps({"type": "CancelRun", "run_id": "late", "reason": "too early"}).encode()
    with world.client.reader(world.topic("dead-letters")) as reader:
        world.publish(Outgoing(topic=world.topic("commands"), value=cancel))
        reader.until(lambda seen: len(seen) == 1)
    with world.client.reader(world.topic("events")) as reader:
        world.publish(world.starting("late"))
        token = tokens(reader.until(lambda seen: "late" in tokens(seen)))["late"]
    wait_until(lambda: _is_marked(world), "what came in is marked")
    world.kill()
    shutil.rmtree(world.folder / "one")
    world.forget_offsets()

    world.start()
    world.serves()

    assert _finish(world, world.deciding(token)) == {"late"}
    assert world.audit().report().findings == ()


def _is_marked(world: World) -> bool:
    """Whether each partition has a mark behind all commands that it got."""
    with world.client.reader(world.topic("checkpoints")) as reader:
        found = [PARTITION_MARKS.decode(each.value or b"") for each in reader.to_end()]
    with world.client.reader(world.topic("commands")) as reader:
        last = {each.partition: each.offset for each in reader.to_end()}
    ends = {
        mark.partition: each.offset
        for mark in found
        if mark is not None
        for each in mark.inputs
        if each.topic == world.topic("commands")
    }
    return all(ends.get(partition, 0) > offset for partition, offset in last.items())


def test_who_asks_for_an_answer_gets_one(world: World) -> None:
    """A received, a repeated, a late and a forged decision: each hears on the topic of replies."""
    world.start()
    ((run_id, token),) = _paused(world, 1).items()
    asked = [
        ("received", world.deciding(token, decision_id="a")),
        ("repeated", world.deciding(token, decision_id="a")),
        ("late", world.deciding(token, "deny", decision_id="b")),
        ("forged", world.deciding("hitl_forged", decision_id="c")),
    ]

    answers: dict[str, dict[str, object]] = {}
    with world.client.reader(world.topic("replies")) as reader:
        for name, record in asked:
            header = (("hitl-reply", name.encode()),)
            world.publish(Outgoing(topic=record.topic, value=record.value, headers=header))
            for reply in reader.until(lambda seen: len(seen) == 1):
                answers[name] = json.loads(reply.value or b"")

    assert [answers[name]["reply"] for name, _ in asked] == [name for name, _ in asked]
    assert (answers["received"]["run_id"], answers["received"]["seq"]) == (run_id, 4)
    assert answers["repeated"]["seq"] == 4
    assert answers["late"]["reason"] == "token_used"
    winner = answers["late"]["winner"]
    assert isinstance(winner, dict)
    assert winner["decision_id"] == "a"
    assert answers["forged"]["reason"] == "invalid_token"


def test_timers_fire_once_whoever_owns_them(world: World) -> None:
    """Gates run out while the engine is down; the next one closes each, once."""
    world.start()
    with world.client.reader(world.topic("events")) as reader:
        world.publish(*(world.starting(f"timed-{number}", "timed") for number in range(12)))
        reader.until(lambda seen: len(tokens(seen)) == 12)
        world.kill()
        world.start()
        done = ended(reader.until(lambda seen: len(ended(seen)) == 12))

    assert len(done) == 12
    assert world.audit().report().findings == ()


@pytest.mark.parametrize("debug", ["", "1"], ids=["plain", "debug"])
def test_sigterm_leaves_nothing_behind(world: World, debug: str) -> None:
    """It exits with 0 in time, amid its work too, and says no more than it has to.

    In the debug mode of asyncio as well, which watches over calls from wrong threads.
    """
    world.start(PYTHONASYNCIODEBUG=debug)
    world.serves()
    with world.client.reader(world.topic("events")) as reader:
        world.publish(*(world.starting(f"run-{number}") for number in range(400)))
        waiting = tokens(reader.until(lambda seen: len(tokens(seen)) > 0))
    world.publish(*map(world.deciding, waiting.values()))
    world.terminate()

    assert world.unclean() == []
    assert [line for line in world["one"].said if '"level": "error"' in line] == []
    assert world.audit().report().findings == ()
