"""A projector on a secured broker, with the rights that `hitl topics acls` prints for it."""

from collections.abc import Generator
from pathlib import Path

import pytest

from hitl_events.adapters.kafka.acls import Acl, acls
from hitl_events.adapters.kafka.topics import Topics
from tests.integration.engines import PARTITIONS, PROJECTOR, World, world_of
from tests.integration.test_engine_security import certified
from tests.kafka.admin import Right
from tests.kafka.cluster import Cluster
from tests.kafka.security import CERTIFIED


@pytest.fixture
def world(secured: Cluster, prefix: str, tmp_path: Path) -> Generator[World]:
    """Topics, and no process yet."""
    with world_of(secured, prefix, tmp_path) as made:
        yield made


def needed(world: World) -> tuple[Acl, ...]:
    """What is printed for it."""
    return acls("projector", Topics(world.prefix), "")


def start(world: World, *allowed: Acl) -> None:
    """As who may do that and nothing else."""
    rights = [
        Right(resource=acl.resource.upper(), name=acl.name, operation=operation)
        for acl in allowed
        for operation in acl.operations
    ]
    world.client.admin.allow(CERTIFIED, *rights)
    assert world.cluster.security is not None
    settings = certified(world.cluster, world.cluster.security)
    model = f"sqlite:///{world.folder / 'read-model.db'}"
    world.start(script=PROJECTOR, HITL_READ_MODEL=model, **settings)


def test_the_printed_rights_are_enough(world: World) -> None:
    """It needs to read the topic of events, as a member of its group: to write nowhere."""
    start(world, *needed(world))
    world.serves()

    assert world["one"].serves == set(range(PARTITIONS))


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_right_ends_it_at_its_start(world: World, missing: int) -> None:
    """In one line that names it."""
    rights = needed(world)
    start(world, *(acl for acl in rights if acl is not rights[missing]))

    assert world["one"].ended() == 5
    (line,) = (line for line in world["one"].said if not line.startswith("{"))
    assert f"the right READ on {rights[missing].resource} '{rights[missing].name}'" in line
