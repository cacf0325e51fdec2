"""Records in the Confluent frame, end to end: read, refused, held while the registry is away."""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.engines import PARTITIONS, World, ended, tokens
from tests.integration.runs import run_ids
from tests.integration.schema_registry import SchemaRegistry, frame, schema_registry
from tests.kafka.records import Outgoing

START = (("ce_type", b"hitl.v1.StartRun"),)


def record_type(name: str, **types: Any) -> dict[str, Any]:
    """A schema of somebody else."""
    fields = [{"name": field, "type": kind} for field, kind in types.items()]
    return {"type": "record", "name": name, "namespace": "com.acme", "fields": fields}


FORM = record_type(
    "Form", recipe="string", run_id="string", input=record_type("Order", amount="double")
)
APPROVAL = record_type("Approval", token="string", verdict="string")


@pytest.fixture
def registry() -> Generator[SchemaRegistry]:
    """One that knows the schemas of the tests."""
    with schema_registry() as made:
        yield made


def framed_start(world: World, registry: SchemaRegistry, run_id: str) -> Outgoing:
    """With the type in a header, as the schema has a name of its own."""
    schema_id = registry.register(FORM)
    value = registry.framed(schema_id, recipe="reviewed", run_id=run_id, input={"amount": 2.5})
    return Outgoing(topic=world.topic("commands"), value=value, headers=START)


def framed_decision(
    world: World, registry: SchemaRegistry, token: str, partition: int | None = None
) -> Outgoing:
    """Nothing but the frame."""
    value = registry.framed(registry.register(APPROVAL), token=token, verdict="approve")
    return Outgoing(topic=world.topic("decisions"), value=value, partition=partition)


def test_a_run_goes_from_start_to_end_in_frames(world: World, registry: SchemaRegistry) -> None:
    """A start and a decision in schemas of their writers' own, whichever partition they come to."""
    world.start(HITL_SCHEMA_REGISTRY=registry.url)
    with world.client.reader(world.topic("events")) as reader:
        world.publish(framed_start(world, registry, "framed"))
        waiting = tokens(reader.until(lambda seen: len(tokens(seen)) == 1))
        for partition in range(PARTITIONS - 1):  # the wrong ones too: they are passed on
            world.publish(framed_decision(world, registry, waiting["framed"], partition))
        done = ended(reader.until(lambda seen: len(ended(seen)) == 1))

    assert done == {"framed"}
    assert world.audit().report().findings == ()


def test_an_id_without_a_schema_is_a_dead_letter(world: World, registry: SchemaRegistry) -> None:
    """Byte for byte, with the reason; what comes after it in the same partition is read."""
    world.start(HITL_SCHEMA_REGISTRY=registry.url)
    value = frame(4711, b"whatever")
    unknown = Outgoing(topic=world.topic("commands"), value=value, key=b"k", partition=0)
    good = framed_start(world, registry, "good")
    with (
        world.client.reader(world.topic("events")) as reader,
        world.client.reader(world.topic("dead-letters")) as letters,
    ):
        world.publish(unknown, replace(good, partition=0))
        reader.until(lambda seen: len(tokens(seen)) == 1)
        (letter,) = letters.until(lambda seen: len(seen) == 1)

    assert (letter.key, letter.value) == (b"k", value)
    assert letter.named["hitl-dlq-reason"] == b"unknown_schema"
    assert b"4711" in letter.named["hitl-dlq-message"]


def test_a_registry_that_is_away_holds_one_partition_of_a_topic(
    world: World, registry: SchemaRegistry
) -> None:
    """The others go on, and so does that partition's other topic; then it goes on, in order."""
    world.start(HITL_SCHEMA_REGISTRY=registry.url)
    (first, second), (elsewhere,) = run_ids(1, 2), run_ids(2, 1)
    with world.client.reader(world.topic("events")) as reader:
        world.publish(world.starting(first), world.starting(elsewhere))
        waiting = tokens(reader.until(lambda seen: len(tokens(seen)) == 2))
        registry.end()

        world.publish(framed_decision(world, registry, waiting[first], partition=1))
        held = world.until("records.held")
        denial = replace(world.deciding(waiting[first], "deny"), partition=1)
        approval = replace(world.deciding(waiting[elsewhere]), partition=2)
        world.publish(denial, approval, replace(world.starting(second), partition=1))
        meanwhile = reader.until(lambda seen: len(ended(seen)) == len(tokens(seen)) == 1)
        registry.begin()
        later = reader.until(lambda seen: len(ended(seen)) == 1)

    world.until("records.resumed")
    assert (held["topic"], held["partition"]) == (world.topic("decisions"), 1)
    assert (ended(meanwhile), set(tokens(meanwhile))) == ({elsewhere}, {second})
    assert ended(later) == {first}
    assert world.effects()[f"{first}:publish:1"] == 1
    assert world.audit().report().findings == ()
