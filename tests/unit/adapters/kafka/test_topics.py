"""The topics of a prefix, and how each is made."""

from __future__ import annotations

import pytest

from hitl_events.adapters.kafka.topics import DEAD_LETTER_BYTES_MAX, Topics


def test_the_names_are_the_contracts() -> None:
    """Six topics below the prefix, and an id per partition in which no group stands."""
    topics = Topics("shop")

    assert topics.all == (
        "shop.commands",
        "shop.decisions",
        "shop.events",
        "shop.checkpoints",
        "shop.replies",
        "shop.dead-letters",
    )
    assert [plan.name for plan in topics.plans(1)] == list(topics.all)
    assert topics.transactional_id(3) == "shop.events.3"
    assert [str(place) for place in topics.owned(3)] == [
        "shop.events-3",
        "shop.checkpoints-3",
        "shop.replies-3",
        "shop.dead-letters-3",
    ]


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "2"), (3, "2"), (5, "2")])
def test_two_copies_count_where_there_are_two(replication: int, in_sync: str) -> None:
    """On one broker one has to do; never is a leader taken that misses records."""
    for plan in Topics("x").plans(replication):
        configs = dict(plan.configs)
        assert configs["min.insync.replicas"] == in_sync
        assert configs["unclean.leader.election.enable"] == "false"


def test_a_dead_letter_holds_what_inbound_holds() -> None:
    """A whole batch of an inbound topic and headers: twice as much is enough."""
    limits = {
        plan.name: int(dict(plan.configs)["max.message.bytes"])
        for plan in Topics("x").plans(1)
        if "max.message.bytes" in dict(plan.configs)
    }

    assert limits["x.dead-letters"] == DEAD_LETTER_BYTES_MAX
    assert limits["x.decisions"] == limits["x.commands"] == DEAD_LETTER_BYTES_MAX // 2
    assert limits["x.events"] > 900 * 1024 + 64 * 1024
