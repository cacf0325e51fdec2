"""`hitl` on a cluster with a read model: rebuilt from the topic, read by index, compared."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest

from hitl_events.adapters.readmodel.opening import open_read_model
from tests.acceptance.console import Console
from tests.integration.stand_in import PAUSED, Played
from tests.kafka.cluster import Cluster


@pytest.fixture(params=["sqlite", "postgresql"])
def filled(
    request: pytest.FixtureRequest,
    console: Console,
    broker: Cluster,
    prefix: str,
    runs: Sequence[Played],
) -> Console:
    """Two runs to their end and one paused; a read model is named, and not there yet."""
    first, second, third = runs
    broker.client().publish(
        *third.events(prefix, 0, PAUSED), *first.events(prefix), *second.events(prefix)
    )
    if request.param == "sqlite":
        console.environment["HITL_READ_MODEL"] = f"sqlite:///{console.folder / 'model.db'}"
    else:
        console.environment["HITL_READ_MODEL"] = request.getfixturevalue("postgres_url")
    return console


def _answers(console: Console, token: str, *more: str) -> list[Any]:
    asked = (
        ("pending",),
        ("runs",),
        ("runs", "--status", "ok", "--limit", "1"),
        ("show", "r-1"),
        ("explain", token),
    )
    return [console.json(*each, *more) for each in asked]


def test_the_read_model_says_what_the_topic_says(filled: Console, runs: Sequence[Played]) -> None:
    """Missing it is one line; rebuilt, each question has the same answer as from the topic.

    Who only compares makes none: an empty one would say that there are no runs.
    """
    verified = filled.json("verify")
    checked = filled.hitl("rebuild", "--check")
    missing = filled.hitl("pending")
    said = filled.json("rebuild")

    assert verified["errors"] == []
    assert [(each.code, "`hitl rebuild`" in each.err) for each in (checked, missing)] == [
        (5, True),
        (5, True),
    ]
    assert said["events"] == sum(len(run.values) for run in runs[:2]) + PAUSED
    assert _answers(filled, runs[2].token) == _answers(filled, runs[2].token, "--from-topic")
    assert filled.hitl("show", "nobody").code == filled.hitl("show", "nobody", "--from-topic").code


def test_it_is_compared_with_the_topic(
    filled: Console, broker: Cluster, prefix: str, runs: Sequence[Played]
) -> None:
    """Events that came since are no difference; they are in it after the next rebuild."""
    filled.json("rebuild")
    broker.client().publish(*runs[2].events(prefix, PAUSED))
    assert filled.json("rebuild", "--check") == {"runs": 3, "errors": []}
    assert filled.json("verify")["errors"] == []
    assert len(filled.json("pending")) == 1

    filled.json("rebuild")
    assert filled.json("pending") == []
    assert filled.json("rebuild", "--check") == {"runs": 3, "errors": []}


def test_what_was_changed_in_it_is_named(filled: Console) -> None:
    """A removed run: exit 4 with run and event, by the topic's own fold."""
    filled.json("rebuild")
    with closing(open_read_model(filled.environment["HITL_READ_MODEL"])) as database:
        database.rows("DELETE FROM runs WHERE run_id = 'a-2'")
    said = filled.hitl("rebuild", "--check", "--json")

    assert (said.code, said.json["errors"][0]["run_id"]) == (4, "a-2")
    assert filled.hitl("verify").code == 4
