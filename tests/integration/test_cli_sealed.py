"""Checkpoints and archives of a cluster, folded from the topic of events."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.console import Console
from tests.acceptance.sealed import forged
from tests.integration.stand_in import PAUSED, Played
from tests.kafka.cluster import Cluster


@pytest.fixture
def filled(console: Console, broker: Cluster, prefix: str, runs: list[Played]) -> Console:
    """One run to its end, one paused; the third is not there."""
    first, second, _ = runs
    broker.client().publish(*second.events(prefix, 0, PAUSED), *first.events(prefix))
    console.hitl("checkpoint", "--new-key", "key")
    return console


def test_a_checkpoint_of_a_cluster_holds_for_what_comes_after(
    filled: Console, broker: Cluster, prefix: str, runs: list[Played]
) -> None:
    """Signed from the topic and checked against it, in several processes, after it went on."""
    signed = filled.json("checkpoint", "--sign", "key", "-o", "cp")
    broker.client().publish(*runs[1].events(prefix, PAUSED), *runs[2].events(prefix))

    checked = filled.json("verify", "--against", "cp", "--key", "key.pub", "--jobs", "3")

    assert (signed["runs"], signed["events"]) == (2, len(runs[0].values) + PAUSED)
    assert (checked["runs"], checked["errors"]) == (3, [])
    assert checked["checkpoint"]["root"] == signed["root"]
    assert filled.json("verify", "a-2", "--against", "cp")["errors"] == []


def test_a_topic_that_lost_events_is_found_by_a_checkpoint(
    filled: Console, runs: list[Played]
) -> None:
    """A cut run and one that is not there are named, though every chain in the topic is whole."""
    desk = forged({run.run_id: run.values for run in runs}, filled.folder / "desk")
    cluster = filled.environment.pop("HITL_KAFKA_BOOTSTRAP")
    filled.json("checkpoint", "--sign", "key", "-o", "cp", "--dir", str(desk))
    filled.environment["HITL_KAFKA_BOOTSTRAP"] = cluster

    assert filled.json("verify")["errors"] == []
    alone, many = (
        filled.hitl("verify", "--against", "cp", "--json", "--jobs", jobs) for jobs in ("1", "3")
    )

    found = [(each["run_id"], each["seq"]) for each in alone.json["errors"]]
    assert (alone.code, found) == (4, [("a-2", PAUSED + 1), ("z-3", 1)])
    assert many.json == alone.json


def test_ended_runs_of_a_cluster_are_archived(
    filled: Console, broker: Cluster, prefix: str, runs: list[Played]
) -> None:
    """They come back at a desk, and it is told from which offset on the topic is still needed."""
    made = filled.json("archive", "--closed-before", "0s", "-o", "archive")
    again = filled.json("archive", "--closed-before", "0s", "-o", "archive")
    places = {
        record.partition: record.offset
        for record in broker.client().read(f"{prefix}.events")
        if record.key == b"a-2" and record.value == runs[1].values[0]
    }
    del filled.environment["HITL_KAFKA_BOOTSTRAP"]
    (file,) = (filled.folder / "archive").iterdir()
    filled.json("import", str(file), "--dir", "desk")
    exported = [
        json.loads(line) for line in filled.hitl("export", "--dir", "desk").out.splitlines()
    ]

    assert [each["runs"] for each in made["files"]] == [1]
    assert (again["files"], again["kept_from"]) == ([], made["kept_from"])
    assert {int(at): offset for at, offset in made["kept_from"].items()}.items() >= places.items()
    assert filled.json("verify", str(file))["runs"] == 1
    assert len(exported) == len(runs[0].values) + 1
